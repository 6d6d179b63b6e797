#pragma once

#include <fmt/format.h>

#include "model/chat_template/render.h"

namespace drystone::jinja {

class Renderer::Scoped {
 public:
  explicit Scoped(Renderer& r) : renderer_(r), outer_(r.scope_) {
    Scope* inner = r.heap.make<Scope>();
    inner->parent = outer_;
    r.scope_ = inner;
  }
  ~Scoped() { renderer_.scope_ = outer_; }

 private:
  Renderer& renderer_;
  Scope* outer_;
};

class Renderer::Deeper {
 public:
  explicit Deeper(Renderer& r) : renderer_(r) {
    if (r.depth_ >= r.heap.limits().depth) {
      fail_limit(fmt::format("evaluation nested more than {} deep", r.heap.limits().depth));
    }
    ++r.depth_;
  }
  ~Deeper() { --renderer_.depth_; }

 private:
  Renderer& renderer_;
};

}  // namespace drystone::jinja
