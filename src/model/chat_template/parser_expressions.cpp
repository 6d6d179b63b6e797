#include <fmt/format.h>

#include "model/chat_template/parser_state.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

// In rising order of how tightly they bind: if-else, or, and, not, comparisons, + -, ~, * / // %,
// **, unary, filters.

NodePtr Parser::expression(bool with_conditional) {
  Nesting nesting(*this);
  nesting.deeper();
  return with_conditional ? conditional() : parse_or();
}

bool Parser::at_tuple_end(std::string_view end_word) const {
  return now().kind == TokenKind::variable_end || now().kind == TokenKind::block_end ||
         at_op(")") || (!end_word.empty() && at_name(end_word));
}

NodePtr Parser::tuple(bool with_conditional, bool parenthesized, std::string_view end_word) {
  std::vector<NodePtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_op(",");
    if (at_tuple_end(end_word)) break;
    items.push_back(expression(with_conditional));
    if (!at_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items[0]);
  if (!is_tuple && !parenthesized)
    fail_here(fmt::format("expected an expression, found {}", found()));
  NodePtr made = node(NodeKind::tuple);
  made->children = std::move(items);
  return made;
}

NodePtr Parser::conditional() {
  Nesting nesting(*this);
  NodePtr then = parse_or();
  while (take_name("if")) {
    nesting.deeper();
    NodePtr made = node(NodeKind::conditional, std::move(then), parse_or());
    made->children.push_back(take_name("else") ? expression() : nullptr);
    then = std::move(made);
  }
  return then;
}

NodePtr Parser::parse_or() {
  Nesting nesting(*this);
  NodePtr left = parse_and();
  while (take_name("or")) {
    nesting.deeper();
    left = node(NodeKind::logic_or, std::move(left), parse_and());
  }
  return left;
}

NodePtr Parser::parse_and() {
  Nesting nesting(*this);
  NodePtr left = parse_not();
  while (take_name("and")) {
    nesting.deeper();
    left = node(NodeKind::logic_and, std::move(left), parse_not());
  }
  return left;
}

NodePtr Parser::parse_not() {
  if (!take_name("not")) return compare();
  Nesting nesting(*this);
  nesting.deeper();
  return node(NodeKind::logic_not, parse_not());
}

NodePtr Parser::compare() {
  NodePtr first = sum();
  NodePtr made;
  while (true) {
    std::string op;
    if (now().kind == TokenKind::op) {
      for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
        if (now().text == known) op = known;
      }
      if (!op.empty()) ++at_;
    } else if (take_name("in")) {
      op = "in";
    } else if (at_name("not") && ahead().kind == TokenKind::name && ahead().text == "in") {
      op = "not in";
      at_ += 2;
    }
    if (op.empty()) return made ? std::move(made) : std::move(first);
    if (!made) made = node(NodeKind::compare, std::move(first));
    made->ops.push_back(op);
    made->children.push_back(sum());
  }
}

NodePtr Parser::sum() {
  Nesting nesting(*this);
  NodePtr left = concat();
  while (at_op("+") || at_op("-")) {
    nesting.deeper();
    const std::string op = tokens_[at_++].text;
    left = node(NodeKind::binary, std::move(left), concat());
    left->text = op;
  }
  return left;
}

NodePtr Parser::concat() {
  NodePtr first = product();
  if (!at_op("~")) return first;
  NodePtr made = node(NodeKind::concat, std::move(first));
  while (take_op("~")) made->children.push_back(product());
  return made;
}

NodePtr Parser::product() {
  Nesting nesting(*this);
  NodePtr left = power();
  while (at_op("*") || at_op("/") || at_op("//") || at_op("%")) {
    nesting.deeper();
    const std::string op = tokens_[at_++].text;
    left = node(NodeKind::binary, std::move(left), power());
    left->text = op;
  }
  return left;
}

NodePtr Parser::power() {
  Nesting nesting(*this);
  NodePtr left = unary();
  while (take_op("**")) {
    nesting.deeper();
    left = node(NodeKind::binary, std::move(left), unary());
    left->text = "**";
  }
  return left;
}

NodePtr Parser::unary(bool with_filter) {
  Nesting nesting(*this);
  NodePtr made;
  if (at_op("-") || at_op("+")) {
    nesting.deeper();
    const std::string op = tokens_[at_++].text;
    made = node(NodeKind::unary, unary(/*with_filter=*/false));
    made->text = op;
  } else {
    made = primary();
  }
  made = postfix(std::move(made));
  return with_filter ? filters_and_tests(std::move(made)) : std::move(made);
}

NodePtr Parser::primary() {
  NodePtr made = node(NodeKind::constant);
  const Token& token = now();
  switch (token.kind) {
    case TokenKind::name:
      if (token.text == "true" || token.text == "True") {
        made->constant = Value::of_bool(true);
      } else if (token.text == "false" || token.text == "False") {
        made->constant = Value::of_bool(false);
      } else if (token.text == "none" || token.text == "None") {
        made->constant = Value::none();
      } else {
        made->kind = NodeKind::name;
        made->text = token.text;
      }
      ++at_;
      return made;
    case TokenKind::string:
      for (; now().kind == TokenKind::string; ++at_) made->text += now().text;
      made->string.text = made->text;
      count_points(made->string);  // now, because rendering may not write to the tree
      made->constant = Value::of(Type::string);
      made->constant.string = &made->string;
      return made;
    case TokenKind::integer:
      made->constant = Value::of_int(token.integer);
      break;
    case TokenKind::real:
      made->constant = Value::of_real(token.real);
      break;
    default:
      if (at_op("[")) return list();
      if (at_op("{")) return dict();
      if (!take_op("(")) fail_here(fmt::format("expected an expression, found {}", found()));
      made = tuple(true, /*parenthesized=*/true);
      expect_op(")");
      return made;
  }
  ++at_;
  return made;
}

NodePtr Parser::list() {
  NodePtr made = node(NodeKind::list);
  expect_op("[");
  while (!at_op("]")) {
    if (!made->children.empty()) expect_op(",");
    if (at_op("]")) break;
    made->children.push_back(expression());
  }
  expect_op("]");
  return made;
}

NodePtr Parser::dict() {
  NodePtr made = node(NodeKind::dict);
  expect_op("{");
  while (!at_op("}")) {
    if (!made->children.empty()) expect_op(",");
    if (at_op("}")) break;
    made->children.push_back(expression());
    expect_op(":");
    made->children.push_back(expression());
  }
  expect_op("}");
  return made;
}

NodePtr Parser::postfix(NodePtr made) {
  Nesting nesting(*this);
  while (at_op(".") || at_op("[") || at_op("(")) {
    nesting.deeper();
    made = at_op("(") ? call(std::move(made)) : subscript(std::move(made));
  }
  return made;
}

NodePtr Parser::filters_and_tests(NodePtr made) {
  Nesting nesting(*this);
  while (true) {
    nesting.deeper();
    if (at_op("|")) {
      made = filter_chain(std::move(made), false);
    } else if (at_name("is")) {
      made = test(std::move(made));
    } else if (at_op("(")) {
      made = call(std::move(made));
    } else {
      return made;
    }
  }
}

NodePtr Parser::subscript(NodePtr object) {
  if (take_op(".")) {
    if (now().kind == TokenKind::integer) {
      NodePtr index = node(NodeKind::constant);
      index->constant = Value::of_int(now().integer);
      ++at_;
      return node(NodeKind::item, std::move(object), std::move(index));
    }
    NodePtr made = node(NodeKind::attribute, std::move(object));
    made->text = expect_name();
    return made;
  }
  expect_op("[");
  NodePtr first = at_op(":") ? nullptr : expression();
  if (!at_op(":")) {
    if (at_op(",")) {
      NodePtr key = node(NodeKind::tuple, std::move(first));
      while (take_op(",")) key->children.push_back(expression());
      first = std::move(key);
    }
    expect_op("]");
    return node(NodeKind::item, std::move(object), std::move(first));
  }
  NodePtr made = node(NodeKind::slice, std::move(object));
  made->children.push_back(std::move(first));
  expect_op(":");
  made->children.push_back(at_op(":") || at_op("]") ? nullptr : expression());
  made->children.push_back(take_op(":") && !at_op("]") ? expression() : nullptr);
  expect_op("]");
  return made;
}

NodePtr Parser::filter_chain(NodePtr made, bool starts_with_name) {
  Nesting nesting(*this);
  while (starts_with_name || at_op("|")) {
    nesting.deeper();
    if (!starts_with_name) ++at_;
    starts_with_name = false;
    NodePtr filter = node(NodeKind::filter);
    filter->children.push_back(std::move(made));
    filter->text = expect_name();
    if (at_op("(")) filter->arguments = arguments();
    made = std::move(filter);
  }
  return made;
}

NodePtr Parser::test(NodePtr subject) {
  ++at_;  // is
  const bool negated = take_name("not");
  NodePtr made = node(NodeKind::test, std::move(subject));
  made->text = expect_name();
  const bool keyword = at_name("else") || at_name("or") || at_name("and");
  if (at_op("(")) {
    made->arguments = arguments();
  } else if (!keyword && (now().kind == TokenKind::name || now().kind == TokenKind::string ||
                          now().kind == TokenKind::integer || now().kind == TokenKind::real ||
                          at_op("[") || at_op("{"))) {
    if (at_name("is")) fail_here("tests cannot be chained with 'is'");
    made->arguments.positional.push_back(postfix(primary()));
  }
  return negated ? node(NodeKind::logic_not, std::move(made)) : std::move(made);
}

NodePtr Parser::call(NodePtr callee) {
  NodePtr made = node(NodeKind::call, std::move(callee));
  made->arguments = arguments();
  return made;
}

Arguments Parser::arguments() {
  Arguments made;
  expect_op("(");
  while (!at_op(")")) {
    if (take_op("*")) {
      made.star = expression();
    } else if (take_op("**")) {
      made.star_star = expression();
    } else if (now().kind == TokenKind::name && ahead().kind == TokenKind::op &&
               ahead().text == "=") {
      std::string name = expect_name();
      expect_op("=");
      made.named.emplace_back(std::move(name), expression());
    } else {
      if (made.star || made.star_star || !made.named.empty())
        fail_here("a positional argument follows a named one");
      made.positional.push_back(expression());
    }
    if (!at_op(")")) expect_op(",");
  }
  expect_op(")");
  return made;
}

}  // namespace drystone::jinja
