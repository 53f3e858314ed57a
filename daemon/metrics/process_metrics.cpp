#include "daemon/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace tocsin {
namespace {

// Field numbers of /proc/self/stat as proc(5) counts them, from 1; the second one, the name, is in
// parentheses.
struct ProcessStat {
  double cpu_seconds = 0;
  double start_seconds_after_boot = 0;
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

ProcessStat read_stat() {
  std::ifstream stream("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  const std::size_t name_end = text.rfind(')');
  ProcessStat stat;
  if (name_end == std::string::npos) return stat;
  std::istringstream rest(text.substr(name_end + 1));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::string field;
  for (int number = 3; rest >> field; ++number) {
    if (number == 14 || number == 15) stat.cpu_seconds += std::stod(field) / ticks;
    if (number == 22) stat.start_seconds_after_boot = std::stod(field) / ticks;
    if (number == 23) stat.virtual_bytes = std::stod(field);
    if (number == 24) {
      stat.resident_bytes = std::stod(field) * static_cast<double>(sysconf(_SC_PAGESIZE));
    }
  }
  return stat;
}

double boot_time_seconds() {
  std::ifstream stream("/proc/stat");
  for (std::string word; stream >> word;) {
    if (word == "btime") {
      double seconds = 0;
      stream >> seconds;
      return seconds;
    }
  }
  return 0;
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // listing them opens one
}

}  // namespace

void register_process_metrics(metrics::Registry& registry) {
  const auto cpu = registry.reading("process_cpu_seconds_total",
                                    "Total user and system CPU time spent in seconds.");
  const auto start = registry.gauge("process_start_time_seconds",
                                    "Start time of the process since the Unix epoch in seconds.");
  const auto virtual_memory =
      registry.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  const auto resident =
      registry.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  const auto open = registry.gauge("process_open_fds", "Number of open file descriptors.");
  const auto limit = registry.gauge("process_max_fds", "Maximum number of open file descriptors.");
  registry.on_collect([=, boot = boot_time_seconds()](metrics::Shard& shard) {
    const ProcessStat stat = read_stat();
    shard.set(cpu, stat.cpu_seconds);
    shard.set(start, boot + stat.start_seconds_after_boot);
    shard.set(virtual_memory, stat.virtual_bytes);
    shard.set(resident, stat.resident_bytes);
    shard.set(open, open_descriptors());
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
      shard.set(limit, static_cast<double>(files.rlim_cur));
    }
  });
}

}  // namespace tocsin
