#include "detectors/rules/values.h"

namespace tocsin {

void EventValues::add(FieldClass field, std::string_view path, std::string_view text) {
  if (text.empty()) return;
  values_.push_back({.field = field, .path = path, .text = text, .chain = {}});
  joined_ += text;
  joined_ += '\n';
  if (field == FieldClass::kToolName) return;  // an identifier: nothing is hidden in one
  views_.clear();
  decoder_.decode(text, views_);
  for (const decoding::View& view : views_) {
    values_.push_back({.field = field, .path = path, .text = view.text, .chain = view.chain});
    joined_ += view.text;
    joined_ += '\n';
  }
}

void EventValues::add_leaves(FieldClass field, const std::vector<Leaf>& leaves) {
  for (const Leaf& leaf : leaves) {
    if (leaf.kind == LeafKind::kBoolean || leaf.kind == LeafKind::kNull) continue;
    add(field, leaf.path, leaf.text);
  }
}

void EventValues::lay_out(const Event& event) {
  decoder_.begin_event();
  values_.clear();
  joined_ = '\n';
  add(FieldClass::kText, {}, event.text);
  add(FieldClass::kToolName, {}, event.tool.name);
  add_leaves(FieldClass::kArguments, event.tool.arguments);
  add_leaves(FieldClass::kResult, event.tool.result);
  add(FieldClass::kResult, "error", event.tool.error);
  for (const ToolDefinition& tool : event.tools) {
    add(FieldClass::kDescription, {}, tool.description);
    for (const Leaf& leaf : tool.parameters) {
      if (leaf.path.ends_with("description")) add(FieldClass::kDescription, {}, leaf.text);
    }
  }
}

}  // namespace tocsin
