#include "daemon/page/board.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tocsin {
namespace {

constexpr int kMergesMax = 8;  // an incident that became part of another, and that of a third ...

std::string array_of(const std::vector<const std::string*>& items) {
  std::string out = "[";
  for (const std::string* item : items) {
    if (out.size() > 1) out += ',';
    out += *item;
  }
  return out + "]";
}

// Where a merged incident went; empty: it is not merged.
std::string merged_into(const std::string& json) {
  const auto incident = nlohmann::json::parse(json, nullptr, false);
  if (!incident.is_object()) return {};
  return incident.value("merged_into", std::string());
}

}  // namespace

void Board::add_finding(std::string json) {
  const std::lock_guard lock(mutex_);
  findings_bytes_ += json.size();
  findings_.push_back(std::move(json));
  while (findings_.size() > kFindingsMax || findings_bytes_ > kBytesMax) {
    findings_bytes_ -= findings_.front().size();
    findings_.pop_front();
  }
}

void Board::put_incident(std::int32_t partition, const std::string& id, bool open,
                         std::string json) {
  const std::lock_guard lock(mutex_);
  if (const auto before = incidents_.find(id); before != incidents_.end()) erase(before);
  incidents_bytes_ += json.size();
  incidents_.emplace(
      id,
      Known{.partition = partition, .changed = ++changes_, .open = open, .json = std::move(json)});
  keep_within_bounds();
}

void Board::remove_incident(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = incidents_.find(id); found != incidents_.end()) erase(found);
}

void Board::forget(std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  for (auto it = incidents_.begin(); it != incidents_.end();) {
    const auto at = it++;
    if (at->second.partition == partition) erase(at);
  }
}

void Board::erase(ById::iterator which) {
  incidents_bytes_ -= which->second.json.size();
  incidents_.erase(which);
}

void Board::keep_within_bounds() {
  while (incidents_.size() > kIncidentsMax || incidents_bytes_ > kBytesMax) {
    const auto least = std::ranges::min_element(incidents_, {}, [](const auto& entry) {
      return std::pair(entry.second.open, entry.second.changed);
    });
    erase(least);
    ++left_out_;
  }
}

std::string Board::findings() const {
  const std::lock_guard lock(mutex_);
  std::vector<const std::string*> items;
  for (const std::string& finding : findings_) items.push_back(&finding);
  std::ranges::reverse(items);
  return fmt::format(R"({{"findings":{}}})", array_of(items));
}

std::string Board::incidents() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Known*> known;
  for (const auto& [id, each] : incidents_) known.push_back(&each);
  std::ranges::sort(known, std::ranges::greater(), &Known::changed);
  std::vector<const std::string*> items;
  for (const Known* each : known) items.push_back(&each->json);
  return fmt::format(R"({{"incidents":{},"left_out":{}}})", array_of(items), left_out_);
}

std::optional<std::string> Board::incident(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  auto found = incidents_.find(id);
  for (int merges = 0; found != incidents_.end() && merges < kMergesMax; ++merges) {
    const std::string other = merged_into(found->second.json);
    if (other.empty()) return found->second.json;
    found = incidents_.find(other);
  }
  return std::nullopt;
}

}  // namespace tocsin
