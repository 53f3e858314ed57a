// What the status page shows of the moment: the latest findings, and the incidents this process
// owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// Thread-safe: workers write, the HTTP server's threads read.  Holds what was written to the topics
// anyway: JSON, redacted.  Bounded; what is beyond a bound is counted.
class Board {
 public:
  static constexpr std::size_t kFindingsMax = 200;
  static constexpr std::size_t kIncidentsMax = 500;
  static constexpr std::size_t kBytesMax = std::size_t{4} << 20;  // of each kind

  void add_finding(std::string json);

  // As it stands now.  Beyond the bounds those go that changed longest ago, open ones last.
  void put_incident(std::int32_t partition, const std::string& id, bool open, std::string json);
  void remove_incident(const std::string& id);
  // All of a partition that is another process's now.
  void forget(std::int32_t partition);

  // {"findings": [newest first]}
  [[nodiscard]] std::string findings() const;
  // {"incidents": [those that changed last first], "left_out": 0}
  [[nodiscard]] std::string incidents() const;
  // One, also by the id that it had before it was found to be part of another one's: that other
  // one.  Nothing: not here.
  [[nodiscard]] std::optional<std::string> incident(const std::string& id) const;

 private:
  struct Known {
    std::int32_t partition = 0;
    std::uint64_t changed = 0;
    bool open = false;
    std::string json;
  };
  using ById = std::map<std::string, Known, std::less<>>;

  void keep_within_bounds();
  void erase(ById::iterator which);

  mutable std::mutex mutex_;
  std::deque<std::string> findings_;  // the latest last
  std::size_t findings_bytes_ = 0;
  ById incidents_;
  std::size_t incidents_bytes_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace tocsin
