#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat_template/ast.h"
#include "model/chat_template/lexer.h"

namespace drystone::jinja {

// A recursive-descent parser: expressions in parser_expressions.cpp, statements in parser.cpp.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  Body parse();

 private:
  // Statements.
  Body body_until(std::initializer_list<std::string_view> ends);
  Body block(std::initializer_list<std::string_view> ends);  // from the end of the opening tag on
  void close(std::string_view tag);                          // the rest of the closing tag
  NodePtr statement();
  NodePtr parse_if();
  NodePtr parse_for();
  NodePtr parse_set();
  NodePtr parse_macro();
  NodePtr parse_call_block();
  NodePtr parse_filter_block();
  NodePtr parse_with();
  NodePtr parse_scope(std::string_view end);
  std::vector<Parameter> signature();
  NodePtr target(bool with_space, std::string_view end_word);
  NodePtr single_target();

  // Expressions.
  NodePtr expression(bool with_conditional = true);
  NodePtr tuple(bool with_conditional = true, bool parenthesized = false,
                std::string_view end_word = {});
  NodePtr conditional();
  NodePtr parse_or();
  NodePtr parse_and();
  NodePtr parse_not();
  NodePtr compare();
  NodePtr sum();
  NodePtr concat();
  NodePtr product();
  NodePtr power();
  NodePtr unary(bool with_filter = true);
  NodePtr primary();
  NodePtr list();
  NodePtr dict();
  NodePtr postfix(NodePtr node);
  NodePtr filters_and_tests(NodePtr node);
  NodePtr subscript(NodePtr node);
  NodePtr filter_chain(NodePtr node, bool starts_with_name);
  NodePtr test(NodePtr node);
  NodePtr call(NodePtr callee);
  Arguments arguments();
  bool at_tuple_end(std::string_view end_word) const;

  // Tokens.
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool at_op(std::string_view op) const { return now().kind == TokenKind::op && now().text == op; }
  bool at_name(std::string_view name) const {
    return now().kind == TokenKind::name && now().text == name;
  }
  bool take_op(std::string_view op);
  bool take_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect(TokenKind kind, std::string_view what);
  std::string expect_name();
  std::string found() const;  // the current token, for messages
  [[noreturn]] void fail_here(const std::string& message) const;

  NodePtr node(NodeKind kind, NodePtr a = nullptr, NodePtr b = nullptr);
  // Counts what nests: recursion of the parser, and operators chained to the left.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) {}
    ~Nesting() { parser_.depth_ -= taken_; }
    void deeper();

   private:
    Parser& parser_;
    int taken_ = 0;
  };

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace drystone::jinja
