#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/chat_template/value.h"

namespace drystone::jinja {

enum class NodeKind : std::uint8_t {
  // Expressions. children in the order written.
  constant,   // constant (strings point to `string`)
  name,       // text
  list,       // children
  tuple,      // children
  dict,       // children: key, value, key, value, ...
  attribute,  // children[0] . text
  item,       // children[0] [ children[1] ]
  slice,      // children: object, then start, stop, step (null where left out)
  call,       // children[0] ( arguments )
  filter,     // children[0] (null in blocks: the captured text) | text ( arguments )
  test,       // children[0] is text ( arguments )
  unary,      // op text, children[0]
  binary,     // children[0] op text children[1]
  logic_and,
  logic_or,
  logic_not,
  concat,       // children ~ children ...
  compare,      // children[0] ops[0] children[1] ops[1] children[2] ...
  conditional,  // children: then, condition, else (null: undefined)
  // Statements.
  data,          // text
  output,        // children[0]
  if_else,       // children: conditions; bodies: one per condition, then that of else, if any
  for_loop,      // children: target, iterated, filter or null; bodies[0], bodies[1] for else; flag:
                 // recursive
  set,           // children: target, value
  set_block,     // children: target, filter chain or null; bodies[0]
  macro,         // text; parameters; bodies[0]
  call_block,    // children[0]: the call; parameters; bodies[0]
  filter_block,  // children[0]: filter chain; bodies[0]
  with,          // children: target, value, target, value, ...; bodies[0]
  scope,         // bodies[0] in a scope of its own
  expression,    // children[0], its value dropped
  loop_break,
  loop_continue,
  // Assignment targets: name, tuple of targets, or:
  space_target,  // text: namespace, ops[0]: attribute
};

struct Node;
using NodePtr = std::unique_ptr<Node>;
using Body = std::vector<NodePtr>;

struct Arguments {
  std::vector<NodePtr> positional;
  std::vector<std::pair<std::string, NodePtr>> named;
  NodePtr star, star_star;
};

struct Parameter {
  std::string name;
  NodePtr fallback;  // null: none
};

struct Node {
  NodeKind kind = NodeKind::data;
  int line = 0;
  bool flag = false;
  std::string text;
  std::vector<std::string> ops;
  Value constant;
  Str string;
  std::vector<NodePtr> children;
  Arguments arguments;
  std::vector<Parameter> parameters;
  std::vector<Body> bodies;

  // Without recursion: chains of operators make trees that are deeper than a stack.
  ~Node();
};

}  // namespace drystone::jinja
