#include "model/chat_template/parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/chat_template/parser_state.h"

namespace drystone::jinja {

namespace {

void take_children(Node& node, std::vector<NodePtr>& into) {
  const auto take = [&](NodePtr& child) {
    if (child) into.push_back(std::move(child));
  };
  for (auto& child : node.children) take(child);
  for (auto& child : node.arguments.positional) take(child);
  for (auto& [name, child] : node.arguments.named) take(child);
  take(node.arguments.star);
  take(node.arguments.star_star);
  for (auto& parameter : node.parameters) take(parameter.fallback);
  for (auto& body : node.bodies) {
    for (auto& child : body) take(child);
  }
}

}  // namespace

Node::~Node() {
  std::vector<NodePtr> pending;
  take_children(*this, pending);
  while (!pending.empty()) {
    NodePtr next = std::move(pending.back());
    pending.pop_back();
    take_children(*next, pending);
  }
}

Body parse_template(std::string_view source) { return Parser(tokenize(source)).parse(); }

Body Parser::parse() {
  Body body = body_until({});
  if (now().kind != TokenKind::end) fail_here(fmt::format("unexpected {}", found()));
  return body;
}

Body Parser::body_until(std::initializer_list<std::string_view> ends) {
  Nesting nesting(*this);
  nesting.deeper();
  Body body;
  while (true) {
    switch (now().kind) {
      case TokenKind::data:
        body.push_back(node(NodeKind::data));
        body.back()->text = now().text;
        ++at_;
        break;
      case TokenKind::variable_begin:
        ++at_;
        body.push_back(node(NodeKind::output, tuple()));
        expect(TokenKind::variable_end, "'}}'");
        break;
      case TokenKind::block_begin: {
        const Token& word = ahead();
        if (word.kind == TokenKind::name &&
            std::find(ends.begin(), ends.end(), word.text) != ends.end()) {
          ++at_;
          return body;  // at the word that ends
        }
        ++at_;
        if (NodePtr made = statement()) body.push_back(std::move(made));
        expect(TokenKind::block_end, "'%}'");
        break;
      }
      default:
        if (ends.size() == 0) return body;
        fail_here(fmt::format("expected '{}', found {}", fmt::join(ends, "' or '"), found()));
    }
  }
}

Body Parser::block(std::initializer_list<std::string_view> ends) {
  take_op(":");
  expect(TokenKind::block_end, "'%}'");
  return body_until(ends);
}

void Parser::close(std::string_view tag) {
  if (!take_name(tag)) fail_here(fmt::format("expected '{}', found {}", tag, found()));
}

NodePtr Parser::statement() {
  if (now().kind != TokenKind::name)
    fail_here(fmt::format("expected the name of a tag, found {}", found()));
  const std::string tag = now().text;
  if (tag == "break" || tag == "continue") {
    if (loops_ == 0) fail_here(fmt::format("'{}' outside a loop", tag));
    ++at_;
    return node(tag == "break" ? NodeKind::loop_break : NodeKind::loop_continue);
  }
  ++at_;
  if (tag == "if") return parse_if();
  if (tag == "for") return parse_for();
  if (tag == "set") return parse_set();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call_block();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "generation") return parse_scope("endgeneration");
  if (tag == "print") return node(NodeKind::output, tuple());
  if (tag == "do") return node(NodeKind::expression, tuple());
  if (tag == "autoescape") {
    expression();
    return parse_scope("endautoescape");
  }
  --at_;
  fail_here(fmt::format("unknown tag '{}'", tag));
}

NodePtr Parser::parse_if() {
  NodePtr made = node(NodeKind::if_else);
  while (true) {
    made->children.push_back(tuple(/*with_conditional=*/false));
    made->bodies.push_back(block({"elif", "else", "endif"}));
    if (take_name("elif")) continue;
    if (take_name("else")) made->bodies.push_back(block({"endif"}));
    close("endif");
    return made;
  }
}

NodePtr Parser::parse_for() {
  NodePtr made = node(NodeKind::for_loop);
  made->children.push_back(target(false, "in"));
  if (!take_name("in")) fail_here(fmt::format("expected 'in', found {}", found()));
  made->children.push_back(tuple(/*with_conditional=*/false, false, "recursive"));
  made->children.push_back(take_name("if") ? expression() : nullptr);
  made->flag = take_name("recursive");
  ++loops_;
  made->bodies.push_back(block({"endfor", "else"}));
  --loops_;
  if (take_name("else")) made->bodies.push_back(block({"endfor"}));
  close("endfor");
  return made;
}

NodePtr Parser::parse_set() {
  NodePtr to = target(true, "");
  if (take_op("=")) return node(NodeKind::set, std::move(to), tuple());
  NodePtr made = node(NodeKind::set_block, std::move(to));
  made->children.push_back(at_op("|") ? filter_chain(nullptr, false) : nullptr);
  made->bodies.push_back(block({"endset"}));
  close("endset");
  return made;
}

NodePtr Parser::parse_macro() {
  NodePtr made = node(NodeKind::macro);
  made->text = expect_name();
  made->parameters = signature();
  const int loops = std::exchange(loops_, 0);
  made->bodies.push_back(block({"endmacro"}));
  loops_ = loops;
  close("endmacro");
  return made;
}

NodePtr Parser::parse_call_block() {
  NodePtr made = node(NodeKind::call_block);
  if (at_op("(")) made->parameters = signature();
  made->children.push_back(expression());
  if (made->children[0]->kind != NodeKind::call) fail_here("'call' needs the call of a macro");
  const int loops = std::exchange(loops_, 0);
  made->bodies.push_back(block({"endcall"}));
  loops_ = loops;
  close("endcall");
  return made;
}

NodePtr Parser::parse_filter_block() {
  NodePtr made = node(NodeKind::filter_block, filter_chain(nullptr, true));
  made->bodies.push_back(block({"endfilter"}));
  close("endfilter");
  return made;
}

NodePtr Parser::parse_with() {
  NodePtr made = node(NodeKind::with);
  while (now().kind != TokenKind::block_end) {
    if (!made->children.empty()) expect_op(",");
    made->children.push_back(single_target());
    expect_op("=");
    made->children.push_back(expression());
  }
  made->bodies.push_back(block({"endwith"}));
  close("endwith");
  return made;
}

NodePtr Parser::parse_scope(std::string_view end) {
  NodePtr made = node(NodeKind::scope);
  made->bodies.push_back(block({end}));
  close(end);
  return made;
}

std::vector<Parameter> Parser::signature() {
  std::vector<Parameter> parameters;
  expect_op("(");
  while (!at_op(")")) {
    if (!parameters.empty()) expect_op(",");
    Parameter parameter{expect_name(), nullptr};
    if (take_op("=")) {
      parameter.fallback = expression();
    } else if (!parameters.empty() && parameters.back().fallback) {
      fail_here("a parameter without a default follows one that has one");
    }
    parameters.push_back(std::move(parameter));
  }
  expect_op(")");
  return parameters;
}

NodePtr Parser::single_target() {
  Nesting nesting(*this);
  nesting.deeper();
  if (take_op("(")) {
    NodePtr inner = target(false, "");
    expect_op(")");
    return inner;
  }
  NodePtr made = node(NodeKind::name);
  made->text = expect_name();
  static constexpr std::string_view kReserved[] = {"true", "false", "none",
                                                   "True", "False", "None"};
  if (std::find(std::begin(kReserved), std::end(kReserved), made->text) != std::end(kReserved)) {
    fail_here(fmt::format("'{}' cannot be assigned to", made->text));
  }
  return made;
}

NodePtr Parser::target(bool with_space, std::string_view end_word) {
  if (with_space && now().kind == TokenKind::name && ahead().kind == TokenKind::op &&
      ahead().text == ".") {
    NodePtr made = node(NodeKind::space_target);
    made->text = expect_name();
    expect_op(".");
    made->ops.push_back(expect_name());
    return made;
  }
  NodePtr first = single_target();
  if (!at_op(",")) return first;
  NodePtr made = node(NodeKind::tuple, std::move(first));
  while (take_op(",")) {
    if (at_op(")") || at_op("=") || at_name(end_word) || now().kind == TokenKind::block_end) break;
    made->children.push_back(single_target());
  }
  return made;
}

bool Parser::take_op(std::string_view op) { return at_op(op) && ++at_; }
bool Parser::take_name(std::string_view name) { return at_name(name) && ++at_; }

void Parser::expect_op(std::string_view op) {
  if (!take_op(op)) fail_here(fmt::format("expected '{}', found {}", op, found()));
}

void Parser::expect(TokenKind kind, std::string_view what) {
  if (now().kind != kind) fail_here(fmt::format("expected {}, found {}", what, found()));
  ++at_;
}

std::string Parser::expect_name() {
  if (now().kind != TokenKind::name) fail_here(fmt::format("expected a name, found {}", found()));
  return tokens_[at_++].text;
}

std::string Parser::found() const {
  switch (now().kind) {
    case TokenKind::end:
      return "end of template";
    case TokenKind::block_end:
      return "'%}'";
    case TokenKind::variable_end:
      return "'}}'";
    case TokenKind::string:
      return "a string";
    case TokenKind::data:
      return "text";
    default:
      return fmt::format("'{}'", now().text);
  }
}

void Parser::fail_here(const std::string& message) const {
  fail(fmt::format("line {}: {}", now().line, message));
}

NodePtr Parser::node(NodeKind kind, NodePtr a, NodePtr b) {
  auto made = std::make_unique<Node>();
  made->kind = kind;
  made->line = a ? a->line : now().line;
  if (a) made->children.push_back(std::move(a));
  if (b) made->children.push_back(std::move(b));
  return made;
}

void Parser::Nesting::deeper() {
  constexpr int kDepthMax = 400;
  ++taken_;
  if (++parser_.depth_ > kDepthMax) {
    fail_limit(fmt::format("line {}: nested more than {} deep", parser_.now().line, kDepthMax));
  }
}

}  // namespace drystone::jinja
