#include "detectors/lexical/train/corpora.h"

#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/decode/native.h"
#include "daemon/source/file_source.h"

namespace tocsin::lexical::train {
namespace {

constexpr std::size_t kLineBytesMax = std::size_t{16} << 20;

enum class Kind : std::uint8_t { kBenign, kAttack, kOtherMisuse, kLeftOut };

struct Label {
  Kind kind = Kind::kLeftOut;
  std::set<std::uint64_t> attack_seqs;
  std::string group;
  std::string source;  // a suite: what may be left out across attacks
  bool agent_run = false;
};

std::set<std::uint64_t> numbers(const nlohmann::json& label, const char* key) {
  std::set<std::uint64_t> out;
  if (!label.contains(key)) return out;
  for (const auto& value : label[key]) out.insert(value.get<std::uint64_t>());
  return out;
}

std::string text_of(const nlohmann::json& label, const char* key) {
  const auto found = label.find(key);
  return found != label.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Label run_label(const nlohmann::json& json) {
  Label label;
  if (json.value("label_ambiguous", false) || !text_of(json, "run_error").empty()) return label;
  label.agent_run = true;
  label.attack_seqs = numbers(json, "injection_text_in_results");
  label.kind = label.attack_seqs.empty() ? Kind::kBenign : Kind::kAttack;
  label.group = text_of(json, "attack") + "/" + text_of(json, "injection_task");
  label.source = text_of(json, "suite");
  return label;
}

Label read_label(const nlohmann::json& json) {
  if (json.contains("injection_text_in_results")) return run_label(json);
  Label label;
  if (json.value("ambiguous", false)) return label;
  for (const char* key : {"subset", "setting", "cluster", "env", "domain"}) {
    if (label.group.empty()) label.group = text_of(json, key);
  }
  if (!json.value("malicious", false)) {
    label.kind = Kind::kBenign;
    return label;
  }
  const std::string category = text_of(json, "category");
  const bool attack = category == "prompt_injection" || category == "jailbreak" ||
                      category == "prompt_leak_attempt";
  label.kind = attack ? Kind::kAttack : Kind::kOtherMisuse;
  label.attack_seqs = numbers(json, "where_seq");
  return label;
}

template <typename Each>
std::expected<void, std::string> for_each_line(const std::filesystem::path& path,
                                               const Each& each) {
  auto source = FileSource::open(path.string(), kLineBytesMax);
  if (!source) return std::unexpected(source.error());
  std::string_view line;
  for (auto status = source->next(line); status != FileSource::Status::kEnd;
       status = source->next(line)) {
    if (status == FileSource::Status::kBroken) return std::unexpected(source->error());
    each(line);
  }
  return {};
}

std::string joined(const std::vector<Leaf>& leaves) {
  std::string out;
  for (const Leaf& leaf : leaves) {
    if (leaf.kind == LeafKind::kString) out.append(leaf.text).append("\n");
  }
  return out;
}

std::vector<std::string> result_texts(const Event& event) {
  std::vector<std::string> out;
  for (const Leaf& leaf : event.tool.result) {
    if (leaf.kind == LeafKind::kString) out.emplace_back(leaf.text);
  }
  if (!event.tool.error.empty()) out.emplace_back(event.tool.error);
  return out;
}

void add_event(const Event& event, const Label& label, Sample sample, std::vector<Sample>& out) {
  const std::uint64_t seq = event.seq.value_or(0);
  sample.attack = label.kind == Kind::kAttack && label.attack_seqs.contains(seq);
  if (event.type == EventType::kToolResult) {
    // What comes after an attack may hold what the attacker had the agent write.
    const bool after =
        label.agent_run && !label.attack_seqs.empty() && seq > *label.attack_seqs.begin();
    if (after && !sample.attack) return;
    sample.channel = Channel::kToolResult;
    sample.texts = result_texts(event);
    out.push_back(std::move(sample));
  } else if (event.type == EventType::kUserMessage) {
    if (label.kind == Kind::kOtherMisuse) return;
    sample.texts = {std::string(event.text)};
    out.push_back(std::move(sample));
  } else if (event.type == EventType::kToolCall) {
    sample.texts = {joined(event.tool.arguments)};
    sample.group = kCodeGroup;
    sample.attack = false;
    if (!label.agent_run) out.push_back(std::move(sample));
  } else if (event.type == EventType::kModelOutput && label.kind != Kind::kAttack &&
             !label.agent_run) {
    // Prose: what a user may paste, and what a document may say.  Not an agent's plans, which
    // repeat what it was told to do.
    sample.texts = {std::string(event.text)};
    sample.group = "prose";
    out.push_back(sample);
    sample.channel = Channel::kToolResult;
    out.push_back(std::move(sample));
  }
}

}  // namespace

std::expected<void, std::string> read_corpus(const std::filesystem::path& folder,
                                             std::vector<Sample>& out) {
  std::map<std::string, Label, std::less<>> labels;
  auto read = for_each_line(folder / "labels.jsonl.gz", [&](std::string_view line) {
    const nlohmann::json json = nlohmann::json::parse(line);
    labels[text_of(json, "session_id")] = read_label(json);
  });
  if (!read) return read;
  NativeDecoder decoder({.event_bytes_max = kLineBytesMax});
  return for_each_line(folder / "events.jsonl.gz", [&](std::string_view line) {
    const auto event = decoder.decode(line, {});
    if (!event) return;
    const auto label = labels.find((*event)->session_id);
    if (label == labels.end() || label->second.kind == Kind::kLeftOut) return;
    Sample sample;
    sample.corpus = folder.filename().string();
    sample.group = label->second.group;
    if (!label->second.source.empty()) sample.group = label->second.source + "/" + sample.group;
    add_event(**event, label->second, std::move(sample), out);
  });
}

}  // namespace tocsin::lexical::train
