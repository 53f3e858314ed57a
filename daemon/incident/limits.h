// What an operator may set of incidents.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tocsin::incident {

enum class RequestMode : std::uint8_t {
  kOff,
  kDryRun,  // requests are noted in the incident and never sent
  kOn,
};

struct Limits {
  std::chrono::seconds idle{1800};       // silence that ends an incident
  std::chrono::seconds link{24 * 3600};  // how far apart uses of an indicator may be
  std::size_t link_sessions_max = 64;    // that an indicator links
  std::chrono::seconds retention{7 *
                                 86400};  // of an incident that is not open, from its last event
  std::size_t incidents_max = 10'000;
  std::size_t bytes_max = std::size_t{32} << 20;  // the daemon's partitions share it
  // A control event may come before the finding that it speaks of.
  std::chrono::seconds wait{300};
  std::size_t waiting_max = 1024;
  RequestMode requests = RequestMode::kOff;
  std::chrono::seconds request_timeout{300};
};

}  // namespace tocsin::incident
