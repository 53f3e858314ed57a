#include "daemon/decode/native.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "daemon/decode/json.h"
#include "daemon/decode/rfc3339.h"
#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kRejectCount> kRejectNames = {
    "empty",          "too_large",        "invalid_utf8",
    "malformed_json", "trailing_content", "not_an_object",
    "too_deep",       "too_many_values",  "wrong_type",
    "missing_time",   "missing_system",   "missing_session_id",
    "missing_type",   "missing_payload",  "unknown_type",
    "bad_time",       "bad_verdict",      "bad_control",
};
constexpr std::size_t kArenaBytes = std::size_t{64} << 10;
constexpr std::size_t kParserDepth = 1024;  // simdjson's own; ours is checked where we descend

using namespace json;
using simdjson::ondemand::json_type;

// Only white space is left.  (`document::at_end` came after Debian 12's simdjson 3.0.)
bool at_end(simdjson::ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

// Overwrites every \uD800-\uDFFF escape that is not half of a pair with \uFFFD, in place; true when
// there was one.
bool replace_lone_surrogates(std::vector<char>& text, std::size_t size) {
  const auto surrogate_at = [&](std::size_t i) -> char {  // 'h', 'l' or 0
    if (i + 6 > size || text[i] != '\\' || text[i + 1] != 'u') return 0;
    if (text[i + 2] != 'd' && text[i + 2] != 'D') return 0;
    const char c = static_cast<char>(text[i + 3] | 0x20);
    if (c == '8' || c == '9' || c == 'a' || c == 'b') return 'h';
    return c >= 'c' && c <= 'f' ? 'l' : static_cast<char>(0);
  };
  bool any = false;
  for (std::size_t i = 0; i + 1 < size; ++i) {
    if (text[i] != '\\') continue;
    const char half = surrogate_at(i);
    if (half == 0) {
      ++i;  // whatever is escaped is not the start of an escape
      continue;
    }
    if (half == 'h' && surrogate_at(i + 6) == 'l') {
      i += 11;
      continue;
    }
    std::memcpy(text.data() + i + 2, "FFFD", 4);
    any = true;
    i += 5;
  }
  return any;
}

}  // namespace

std::string_view name_of(Reject reason) { return kRejectNames[std::to_underlying(reason)]; }

NativeDecoder::NativeDecoder(DecodeLimits limits)
    : limits_(limits), arena_block_(kArenaBytes), arena_(arena_block_.data(), arena_block_.size()) {
  for (Text* text : {&document_, &arguments_}) {
    text->parser = std::make_unique<simdjson::ondemand::parser>(limits_.event_bytes_max);
  }
}

simdjson::simdjson_result<simdjson::ondemand::document> NativeDecoder::parse(
    Text& text, std::string_view bytes) {
  const std::size_t needed = bytes.size() + simdjson::SIMDJSON_PADDING;
  if (text.padded.size() < needed) text.padded.resize(needed + needed / 2);
  if (!bytes.empty() && bytes.data() != text.padded.data()) {
    std::memcpy(text.padded.data(), bytes.data(), bytes.size());
  }
  if (text.parser->capacity() < bytes.size()) {
    if (const auto error = text.parser->allocate(
            std::min(limits_.event_bytes_max, bytes.size() * 2), kParserDepth)) {
      return error;
    }
  }
  return text.parser->iterate(text.padded.data(), bytes.size(), text.padded.size());
}

std::expected<const Event*, Reject> NativeDecoder::decode(std::string_view bytes,
                                                          const SourcePosition& source) {
  repaired_ = false;
  if (bytes.empty()) return because(Reject::kEmpty);
  if (bytes.size() > limits_.event_bytes_max) return because(Reject::kTooLarge);
  reset();
  Status status = decode_once(bytes);
  // simdjson says only "malformed" for a string it cannot unescape, so look for the one repairable
  // cause.
  if (!status && status.error() == Reject::kMalformedJson &&
      replace_lone_surrogates(document_.padded, bytes.size())) {
    reset();
    status = decode_once({document_.padded.data(), bytes.size()});
    repaired_ = status.has_value();
  }
  if (!status) return because(status.error());
  event_.source = source;
  if (is_control(event_.type)) event_.control = &control_.payload();
  if (event_.event_id.empty()) {
    event_id_ = fmt::format("{}/{}/{}", source.topic, source.partition, source.offset);
    event_.event_id = event_id_;
  }
  return &event_;
}

void NativeDecoder::reset() {
  arena_.release();
  leaves_ = 0;
  control_.reset();
  has_time_ = has_type_ = has_text_ = has_tools_ = has_verdict_ = bad_verdict_ = false;
  // The vectors keep their memory: clear, do not replace.
  std::vector<Leaf> arguments = std::exchange(event_.tool.arguments, {});
  std::vector<Leaf> result = std::exchange(event_.tool.result, {});
  std::vector<ToolDefinition> tools = std::exchange(event_.tools, {});
  arguments.clear();
  result.clear();
  tools.clear();
  event_ = Event{};
  event_.tool.arguments = std::move(arguments);
  event_.tool.result = std::move(result);
  event_.tools = std::move(tools);
}

Status NativeDecoder::decode_once(std::string_view bytes) {
  simdjson::ondemand::document document;
  if (const auto error = parse(document_, bytes).get(document)) return because(reason_for(error));
  Object object;
  if (const auto error = document.get_object().get(object)) {
    return because(error == simdjson::INCORRECT_TYPE ? Reject::kNotAnObject : reason_for(error));
  }
  if (const Status read = read_envelope(object); !read) return read;
  if (!at_end(document)) return because(Reject::kTrailingContent);
  return check_complete();
}

Status NativeDecoder::read_envelope(Object object) {
  for (auto field : object) {
    std::string_view key;
    Value value;
    // Keys are unescaped too: `"\u0074ype"` is `type` to whoever reads the agent's side of the
    // story.
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(value)) return because(reason_for(error));
    if (const Status read = read_field(key, value); !read) return read;
  }
  return {};
}

Status NativeDecoder::read_field(std::string_view key, Value value) {
  if (key == "time") {
    std::string_view text;
    if (const Status read = read_string(value, text); !read) return read;
    if (text.empty()) return {};
    const auto time = parse_rfc3339(text);
    if (!time) return because(Reject::kBadTime);
    event_.time = *time;
    has_time_ = true;
    return {};
  }
  if (key == "type") {
    std::string_view text;
    if (const Status read = read_string(value, text); !read) return read;
    if (text.empty()) return {};
    const auto type = event_type_named(text);
    if (!type) return because(Reject::kUnknownType);
    event_.type = *type;
    has_type_ = true;
    return {};
  }
  if (key == "seq") {
    if (is_null(value)) return {};
    std::uint64_t seq = 0;
    if (const auto error = value.get_uint64().get(seq)) {
      return because(error == simdjson::NUMBER_ERROR ? Reject::kWrongType : reason_for(error));
    }
    event_.seq = seq;
    return {};
  }
  if (key == "text") {
    has_text_ = true;
    return read_string(value, event_.text);
  }
  if (key == "tool") return read_tool(value);
  if (key == "tools") return read_definitions(value);
  if (key == "guardrail") return read_guardrail(value);
  if (key == "event_id") return read_string(value, event_.event_id);
  if (key == "system") return read_string(value, event_.system);
  if (key == "session_id") return read_string(value, event_.session_id);
  if (key == "model") return read_string(value, event_.model);
  if (key == "release") return read_string(value, event_.release);
  if (key == "prompt_version") return read_string(value, event_.prompt_version);
  if (key == "tenant") return read_string(value, event_.tenant);
  if (key == "trace_id") return read_string(value, event_.trace_id);
  return control_.read(key, value);  // what is not ours simdjson skips
}

Status NativeDecoder::read_tool(Value value) {
  if (is_null(value)) return {};
  Object object;
  if (const auto error = value.get_object().get(object)) return because(reason_for(error));
  // Twice the same key: the last one counts, as in the parsers that agents use.
  ToolUse& tool = event_.tool;
  tool.name = tool.call_id = tool.error = {};
  tool.arguments.clear();
  tool.result.clear();
  tool.has_arguments = tool.arguments_parsed = false;
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(member)) return because(reason_for(error));
    Status read;
    if (key == "name") {
      read = read_string(member, event_.tool.name);
    } else if (key == "call_id") {
      read = read_string(member, event_.tool.call_id);
    } else if (key == "error") {
      json_type type{};
      if (const auto error = member.type().get(type)) return because(reason_for(error));
      event_.tool.error = {};
      if (type == json_type::string) {
        read = read_string(member, event_.tool.error);
      } else if (!is_null(member) && scalar_token(member) != "false") {
        event_.tool.error =
            "error";  // an object or `true`: failed, and how is not for us to interpret
      }
    } else if (key == "arguments") {
      read = read_arguments(member);
    } else if (key == "result") {
      event_.tool.result.clear();
      path_.clear();
      if (!is_null(member)) read = flatten(member, 0, event_.tool.result);
    }
    if (!read) return read;
  }
  return {};
}

Status NativeDecoder::read_arguments(Value value) {
  ToolUse& tool = event_.tool;
  tool.arguments.clear();
  path_.clear();
  tool.has_arguments = !is_null(value);
  tool.arguments_parsed = false;
  if (!tool.has_arguments) return {};
  json_type type{};
  if (const auto error = value.type().get(type)) return because(reason_for(error));
  if (type != json_type::string) {
    tool.arguments_parsed = true;
    return flatten(value, 0, tool.arguments);
  }
  // Some producers send the arguments as a string of JSON.  Whatever does not parse is matched as
  // text.
  std::string_view text;
  if (const auto error = value.get_string().get(text)) return because(reason_for(error));
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && (text[start] == '{' || text[start] == '[')) {
    tool.arguments_parsed = read_arguments_text(text);
    if (!tool.arguments_parsed && replace_lone_surrogates(arguments_.padded, text.size())) {
      tool.arguments_parsed = read_arguments_text({arguments_.padded.data(), text.size()});
      repaired_ = tool.arguments_parsed;
    }
    if (tool.arguments_parsed) return {};
  }
  return add_leaf(text, LeafKind::kString, tool.arguments);
}

// False, and nothing added, when the text is not JSON.
bool NativeDecoder::read_arguments_text(std::string_view text) {
  simdjson::ondemand::document document;
  Value root;
  const std::size_t leaves_before = leaves_;
  if (parse(arguments_, text).get(document) == simdjson::SUCCESS &&
      document.get_value().get(root) == simdjson::SUCCESS) {
    const Status read = flatten(root, 0, event_.tool.arguments);
    if (read && at_end(document)) return true;
  }
  leaves_ = leaves_before;
  event_.tool.arguments.clear();
  path_.clear();
  return false;
}

Status NativeDecoder::read_definitions(Value value) {
  if (is_null(value)) return {};
  simdjson::ondemand::array tools;
  if (const auto error = value.get_array().get(tools)) return because(reason_for(error));
  event_.tools.clear();
  for (auto item : tools) {
    Value definition;
    if (const auto error = item.get(definition)) return because(reason_for(error));
    if (event_.tools.size() >= limits_.tools_max) return because(Reject::kTooManyValues);
    if (const Status read = read_definition(definition); !read) return read;
  }
  has_tools_ = true;
  return {};
}

Status NativeDecoder::read_definition(Value value) {
  Object object;
  if (const auto error = value.get_object().get(object)) return because(reason_for(error));
  ToolDefinition& tool = event_.tools.emplace_back();
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(member)) return because(reason_for(error));
    Status read;
    if (key == "name") {
      read = read_string(member, tool.name);
    } else if (key == "description") {
      read = read_string(member, tool.description);
    } else if (key == "parameters") {
      path_.clear();
      tool.parameters.clear();
      if (!is_null(member)) read = flatten(member, 0, tool.parameters);
    }
    if (!read) return read;
  }
  return {};
}

Status NativeDecoder::read_guardrail(Value value) {
  if (is_null(value)) return {};
  Object object;
  if (const auto error = value.get_object().get(object)) return because(reason_for(error));
  event_.guardrail = {};
  has_verdict_ = bad_verdict_ = false;
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(member)) return because(reason_for(error));
    Status read;
    if (key == "name") {
      read = read_string(member, event_.guardrail.name);
    } else if (key == "target_call_id") {
      read = read_string(member, event_.guardrail.target_call_id);
    } else if (key == "verdict") {
      read = read_verdict(member);
    }
    if (!read) return read;
  }
  return {};
}

Status NativeDecoder::read_verdict(Value value) {
  std::string_view text;
  if (const Status read = read_string(value, text); !read) return read;
  if (text.empty()) return {};
  // An event of another type may carry any word, and its type may come later.
  const auto verdict = verdict_named(text);
  has_verdict_ = verdict.has_value();
  bad_verdict_ = !has_verdict_;
  if (verdict) event_.guardrail.verdict = *verdict;
  return {};
}

Status NativeDecoder::check_complete() const {
  if (!has_type_) return because(Reject::kMissingType);
  if (!has_time_) return because(Reject::kMissingTime);
  if (event_.system.empty()) return because(Reject::kMissingSystem);
  if (event_.session_id.empty() && !is_control(event_.type)) {
    return because(Reject::kMissingSession);
  }
  switch (event_.type) {
    case EventType::kSystemMessage:
    case EventType::kUserMessage:
    case EventType::kModelOutput: return has_text_ ? Status{} : because(Reject::kMissingPayload);
    case EventType::kToolDefinitions:
      return has_tools_ ? Status{} : because(Reject::kMissingPayload);
    case EventType::kToolCall:
    case EventType::kToolResult:
      return event_.tool.name.empty() ? because(Reject::kMissingPayload) : Status{};
    case EventType::kGuardrail:
      if (bad_verdict_) return because(Reject::kBadVerdict);
      return has_verdict_ && !event_.guardrail.name.empty() ? Status{}
                                                            : because(Reject::kMissingPayload);
    default: return control_.check(event_.type);
  }
}

Status NativeDecoder::flatten(Value value, std::size_t depth, std::vector<Leaf>& out) {
  if (depth > limits_.depth_max) return because(Reject::kTooDeep);
  json_type type{};
  if (const auto error = value.type().get(type)) return because(reason_for(error));
  switch (type) {
    case json_type::object: {
      Object object;
      if (const auto error = value.get_object().get(object)) return because(reason_for(error));
      return flatten_members(object, depth, out);
    }
    case json_type::array: {
      simdjson::ondemand::array array;
      if (const auto error = value.get_array().get(array)) return because(reason_for(error));
      const std::size_t parent = path_.size();
      std::size_t index = 0;
      for (auto item : array) {
        Value element;
        if (const auto error = item.get(element)) return because(reason_for(error));
        fmt::format_to(std::back_inserter(path_), "{}{}", parent > 0 ? "." : "", index++);
        const Status read = flatten(element, depth + 1, out);
        path_.resize(parent);
        if (!read) return read;
      }
      return {};
    }
    case json_type::string: {
      std::string_view text;
      if (const auto error = value.get_string().get(text)) return because(reason_for(error));
      return add_leaf(text, LeafKind::kString, out);
    }
    default: break;
  }
  const std::string_view token = scalar_token(value);
  if (token == "null") return add_leaf(token, LeafKind::kNull, out);
  if (token == "true" || token == "false") return add_leaf(token, LeafKind::kBoolean, out);
  // Kept as written, so that 64-bit ids and amounts stay exact.
  if (token.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return because(Reject::kMalformedJson);
  }
  return add_leaf(token, LeafKind::kNumber, out);
}

Status NativeDecoder::flatten_members(Object object, std::size_t depth, std::vector<Leaf>& out) {
  const std::size_t parent = path_.size();
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (const auto error = field.unescaped_key().get(key)) return because(reason_for(error));
    if (const auto error = field.value().get(member)) return because(reason_for(error));
    if (parent > 0) path_ += '.';
    if (path_.size() <= limits_.path_bytes_max) path_ += key;
    const Status read = flatten(member, depth + 1, out);
    path_.resize(parent);
    if (!read) return read;
  }
  return {};
}

Status NativeDecoder::add_leaf(std::string_view text, LeafKind kind, std::vector<Leaf>& out) {
  if (++leaves_ > limits_.leaves_max) return because(Reject::kTooManyValues);
  std::string_view path;
  if (!path_.empty()) {
    const std::size_t size = cut_at_character(path_, limits_.path_bytes_max);
    char* copy = static_cast<char*>(arena_.allocate(size, 1));
    std::memcpy(copy, path_.data(), size);
    path = {copy, size};
  }
  out.push_back({.path = path, .text = text, .kind = kind});
  return {};
}

}  // namespace tocsin
