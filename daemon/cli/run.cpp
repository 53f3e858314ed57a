#include <memory>
#include <string>

#include "daemon/allocator.h"
#include "daemon/cli/cli.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/policy_reload.h"

namespace tocsin::cli {
namespace {

int run(const std::string& path) {
  Diagnostics diagnostics;
  const Config config =
      load_config(path, true, process_environment(), environment_names(), diagnostics);
  // The policy too, so that one run shows every mistake.
  PolicySources sources = policy_sources(config);
  sources.proof_is_enough = true;
  const auto policy = Policy::load(sources, diagnostics);
  if (const int status = report(diagnostics); status != kDone) return status;
  log::configure(config.log.format, config.log.level);
  bound_allocator(worker_count(config));
  Daemon::block_signals();
  Daemon daemon(config, policy);
  if (!daemon.start()) {
    daemon.stop();
    return kFailed;
  }
  daemon.wait();
  return daemon.stop() ? kDone : kFailed;
}

}  // namespace

void add_run(CLI::App& app, int* exit) {
  CLI::App* command =
      app.add_subcommand("run", "Watch: consume events from Kafka until told to stop");
  auto path = std::make_shared<std::string>();
  command->add_option("--config", *path, "The configuration file (see deploy/tocsin.yaml)")
      ->type_name(kFile)
      ->required();
  command->footer(
      "Every key can be overridden from the environment: session.idle_seconds is\n"
      "TOCSIN_SESSION_IDLE_SECONDS, kafka's sasl.password_file is "
      "TOCSIN_KAFKA_SASL_PASSWORD_FILE.\n"
      "SIGTERM drains, delivers, commits and leaves within ten seconds.\n\n"
      "Example:\n"
      "  tocsin run --config /etc/tocsin/tocsin.yaml");
  command->callback([path, exit] { *exit = run(*path); });
}

}  // namespace tocsin::cli
