#include "detectors/session/acts.h"

#include <algorithm>
#include <optional>

#include "detectors/decoding/chars.h"
#include "detectors/detector.h"
#include "detectors/session/shell.h"
#include "detectors/session/words.h"

namespace tocsin::session {
namespace {

using Words = std::initializer_list<std::string_view>;

bool one_of(std::string_view word, Words words) {
  return std::ranges::find(words, word) != words.end();
}

bool is_option(std::string_view word) { return word.starts_with('-'); }

void add_operands(const SimpleCommand& command, std::size_t from, ActKind kind, Acts& acts) {
  for (std::size_t i = from; i < command.size(); ++i) {
    if (!is_option(command[i])) acts.add(kind, command[i]);
  }
}

// -- secrets ------------------------------------------------------------------------------------

// Prints what a store of credentials holds.
bool asks_store(const SimpleCommand& command) {
  const std::string_view program = command.program;
  if (program == "vault") {
    return command.starts_with("kv", "get") || one_of(command[0], {"read", "unwrap"});
  }
  if (program == "aws") {
    return command.has("get-secret-value") || command.has("get-session-token") ||
           (command.has("get-parameter") && command.has("--with-decryption"));
  }
  if (program == "gcloud") {
    return command.starts_with("secrets", "versions", "access") ||
           command.has("print-access-token");
  }
  if (program == "az") return command.starts_with("keyvault", "secret", "show");
  if (program == "kubectl" || program == "oc") {
    return command[0] == "get" &&
           one_of(command[1].substr(0, command[1].find('/')), {"secret", "secrets"}) &&
           command.size() > 2;
  }
  if (program == "security") {
    return one_of(command[0], {"find-generic-password", "find-internet-password", "dump-keychain"});
  }
  if (program == "op") return one_of(command[0], {"read", "item"});
  if (program == "pass") return command[0] == "show";
  if (program == "gh") return command.starts_with("auth", "token");
  if (program == "git") return command.starts_with("credential", "fill");
  if (program == "cmdkey") return command.has("/list");
  return one_of(program, {"secret-tool", "unshadow", "mimikatz"});
}

void add_secrets(const SimpleCommand& command, Acts& acts) {
  // These name a file without giving its content.
  if (one_of(command.program,
             {"ls", "chmod", "chown", "stat", "test", "[", "mkdir", "touch", "rm", "find", "echo",
              "printf", "ssh-keygen", "cd", "ssh", "git", "file", "du", "shred"})) {
    return;
  }
  if (asks_store(command)) acts.add(ActKind::kReadsSecret, command.program);
  for (const std::string_view word : command) {
    // "file=@~/.netrc", "--file=/etc/shadow"
    const std::string_view path = word.substr(word.find_last_of("@=<") + 1);
    if (is_secret_path(path)) acts.add(ActKind::kReadsSecret, path);
  }
}

// -- sending ------------------------------------------------------------------------------------

// "host:path" or "user@host:path", but no drive letter and no URL.
bool is_remote(std::string_view word) {
  const std::size_t colon = word.find(':');
  return colon != std::string_view::npos && colon > 1 && word.find('/') > colon;
}

bool sends_by_curl(const SimpleCommand& command) {
  for (const std::string_view word : command) {
    if (word.starts_with("--data") || word.starts_with("--form") ||
        word.starts_with("--upload-file") || word.starts_with("--json") ||
        word.starts_with("--post-") || word.starts_with("--body-")) {
      return true;
    }
    if (one_of(word.substr(0, 2), {"-d", "-F", "-T"})) return true;
  }
  return false;
}

bool is_cloud_path(std::string_view word) {
  return word.starts_with("s3://") || word.starts_with("gs://");
}

bool sends(const SimpleCommand& command) {
  const std::string_view program = command.program;
  const std::string_view last = command.size() > 0 ? command[command.size() - 1] : "";
  if (one_of(program, {"curl", "wget", "http", "xh"})) return sends_by_curl(command);
  if (one_of(program, {"scp", "rsync"})) return is_remote(last);
  if (one_of(program, {"nc", "ncat", "netcat"})) {
    return command.size() >= 2 && !command[0].starts_with("-l");
  }
  if (one_of(program, {"aws", "gsutil"})) {
    return (command.has("cp") || command.has("mv") || command.has("sync")) && is_cloud_path(last);
  }
  if (program == "git") return command[0] == "push";
  if (program == "rclone") return one_of(command[0], {"copy", "copyto", "move", "sync"});
  return one_of(program, {"mail", "mailx", "mutt", "sendmail", "msmtp", "sftp", "ftp", "tftp"}) &&
         command.size() > 0;
}

// -- access -------------------------------------------------------------------------------------

bool is_digit(char c) { return decoding::is_any(c, decoding::kDigit); }

// Everybody may write, or the file runs as its owner.
bool opens_mode(std::string_view mode) {
  const bool octal = mode.size() >= 3 && mode.size() <= 5 && std::ranges::all_of(mode, is_digit);
  if (octal) {
    constexpr int kWrite = 2;
    constexpr int kSetIds = 6;
    const bool set_id = mode.size() > 3 && ((mode[mode.size() - 4] - '0') & kSetIds) != 0;
    return set_id || ((mode.back() - '0') & kWrite) != 0;
  }
  const std::size_t plus = mode.find_first_of("+=");
  if (plus == std::string_view::npos) return false;
  const std::string_view who = mode.substr(0, plus);
  const std::string_view what = mode.substr(plus + 1);
  if (what.contains('s')) return true;
  return what.contains('w') && (who.contains('o') || who.contains('a'));
}

bool is_admin_group(std::string_view name) {
  return one_of(name, {"sudo", "wheel", "admin", "root", "docker", "adm", "shadow", "disk",
                       "administrators", "Administrators"});
}

void add_opened(const SimpleCommand& command, Acts& acts) {
  const std::string_view program = command.program;
  if (program == "chmod") {
    for (std::size_t i = 0; i < command.size(); ++i) {
      if (is_option(command[i])) continue;
      if (opens_mode(command[i])) add_operands(command, i + 1, ActKind::kOpens, acts);
      return;
    }
  } else if (one_of(program, {"usermod", "gpasswd", "adduser", "net", "dseditgroup"})) {
    const bool admin = std::any_of(command.begin(), command.end(), [](std::string_view word) {
      return is_admin_group(word) || is_admin_group(word.substr(word.rfind(',') + 1));
    });
    if (!admin) return;
    for (const std::string_view word : command) {
      if (!is_option(word) && !is_admin_group(word)) acts.add(ActKind::kOpens, word);
    }
  } else if (program == "setfacl" || program == "icacls") {
    add_operands(command, 0, ActKind::kOpens, acts);
  }
}

// -- deleting -----------------------------------------------------------------------------------

void add_deleted(const SimpleCommand& command, Acts& acts) {
  if (one_of(command.program, {"rm", "shred", "unlink", "srm", "del", "erase", "Remove-Item"})) {
    add_operands(command, 0, ActKind::kDeletes, acts);
  } else if (command.program == "aws" && command.starts_with("s3", "rm")) {
    add_operands(command, 2, ActKind::kDeletes, acts);
  }
}

// -- controls -----------------------------------------------------------------------------------

std::optional<ActKind> switched(std::string_view verb) {
  if (one_of(verb, {"stop", "disable", "mask", "off", "0", "kill", "Permissive", "permissive"})) {
    return ActKind::kDisables;
  }
  if (one_of(verb, {"start", "enable", "unmask", "restart", "on", "1", "Enforcing", "enforcing"})) {
    return ActKind::kEnables;
  }
  return std::nullopt;
}

void add_service(const SimpleCommand& command, Acts& acts) {
  std::optional<ActKind> kind;
  for (const std::string_view word : command) {
    if (const auto said = switched(word)) kind = said;
  }
  if (!kind) return;
  for (const std::string_view word : command) {
    if (is_control(word)) acts.add(*kind, word);
  }
}

bool hides_history(const SimpleCommand& command) {
  if (command.program == "history") return command[0] == "-c";
  if (command.program == "unset") return command.has("HISTFILE");
  if (command.program == "set") return command.starts_with("+o", "history");
  if (command.program == "export") {
    return command.has("HISTFILE=/dev/null") || command.has("HISTSIZE=0");
  }
  return false;
}

void add_switched(const SimpleCommand& command, Acts& acts) {
  const std::string_view program = command.program;
  if (one_of(program, {"systemctl", "service", "rc-service", "sc"})) {
    add_service(command, acts);
  } else if (one_of(program, {"pkill", "killall", "Stop-Service"})) {
    for (const std::string_view word : command) {
      if (is_control(word)) acts.add(ActKind::kDisables, word);
    }
  } else if (one_of(program, {"ufw", "setenforce"})) {
    for (const std::string_view word : command) {
      if (const auto kind = switched(word)) acts.add(*kind, program);
    }
  } else if (program == "iptables" || program == "ip6tables") {
    if (command.has("-F") || command.has("--flush")) acts.add(ActKind::kDisables, program);
  } else if (program == "nft") {
    if (command.starts_with("flush", "ruleset")) acts.add(ActKind::kDisables, program);
  } else if (program == "auditctl") {
    if (command.has("-D") || command.starts_with("-e", "0")) {
      acts.add(ActKind::kDisables, program);
    }
  } else if (program == "aws") {
    if (command.has("stop-logging") || command.has("delete-trail") ||
        command.has("delete-detector") || command.has("deactivate-mfa-device")) {
      acts.add(ActKind::kDisables, command[0]);
    }
  } else if (program == "Set-MpPreference") {
    if (command[0].starts_with("-Disable")) acts.add(ActKind::kDisables, program);
  } else if (hides_history(command)) {
    acts.add(ActKind::kDisables, program);
  }
}

void read_command(std::string_view text, Acts& acts) {
  ShellReader reader(text);
  while (const SimpleCommand* command = reader.next()) {
    add_secrets(*command, acts);
    add_opened(*command, acts);
    add_deleted(*command, acts);
    add_switched(*command, acts);
    if (sends(*command)) add_operands(*command, 0, ActKind::kSends, acts);
  }
}

// -- other tools --------------------------------------------------------------------------------

constexpr std::array<std::string_view, 8> kSecretNouns = {
    "secret", "secrets", "credential", "credentials", "password", "passwords", "vault", "keychain"};
constexpr std::array<std::string_view, 11> kDeleteVerbs = {"delete",  "remove", "erase", "purge",
                                                           "destroy", "trash",  "wipe",  "unlink",
                                                           "discard", "rm",     "shred"};
constexpr std::array<std::string_view, 8> kOffVerbs = {"disable", "deactivate", "stop", "pause",
                                                       "suspend", "bypass",     "mute", "off"};
constexpr std::array<std::string_view, 7> kOnVerbs = {"enable", "activate", "start",  "resume",
                                                      "unmute", "on",       "restore"};
constexpr std::array<std::string_view, 8> kGrantWords = {
    "grant", "permission", "permissions", "role", "roles", "acl", "access", "privilege"};

// What is given to whom it should not be by accident.
bool is_wide(std::string_view value) {
  return one_of(value, {"admin", "administrator", "owner", "root", "superuser", "public",
                        "everyone", "anyone", "all_users", "allUsers", "*", "sudo", "full_control",
                        "full_access", "public-read", "public-read-write"});
}

bool is_off(const Leaf& leaf) {
  return one_of(leaf.text, {"false", "0", "off", "disabled", "none", "no"});
}
bool is_on(const Leaf& leaf) { return one_of(leaf.text, {"true", "1", "on", "enabled", "yes"}); }

void add_all(const Event& call, ActKind kind, Acts& acts) {
  bool any = false;
  for (const Leaf& leaf : call.tool.arguments) {
    const bool names = leaf.kind == LeafKind::kString || leaf.kind == LeafKind::kNumber;
    if (!names || leaf.text.empty() || is_wide(leaf.text)) continue;
    acts.add(kind, leaf.text);
    any = true;
  }
  if (!any) acts.add(kind, {});
}

bool names_control(const NameWords& words) {
  return std::any_of(words.begin(), words.end(), is_control);
}

void read_switch(const Event& call, const NameWords& words, Acts& acts) {
  if (names_control(words)) {
    if (words.has_any(kOffVerbs)) {
      add_all(call, ActKind::kDisables, acts);
    } else if (words.has_any(kOnVerbs)) {
      add_all(call, ActKind::kEnables, acts);
    }
  }
  // set_account(mfa_enabled=false)
  for (const Leaf& leaf : call.tool.arguments) {
    if (!is_off(leaf) && !is_on(leaf)) continue;
    if (!names_control(NameWords(parameter_of(leaf.path)))) continue;
    add_all(call, is_off(leaf) ? ActKind::kDisables : ActKind::kEnables, acts);
    return;
  }
}

void read_tool(const Event& call, const EventContext& context, Acts& acts) {
  const NameWords words(call.tool.name);
  const Effect effect = context.tool.effect;
  if (effect == Effect::kRead && words.has_any(kSecretNouns)) {
    acts.add(ActKind::kReadsSecret, call.tool.name);
  }
  if (effect == Effect::kEgress) add_all(call, ActKind::kSends, acts);
  if (words.has_any(kDeleteVerbs)) add_all(call, ActKind::kDeletes, acts);
  if (effect == Effect::kRead) {
    for (const Leaf& leaf : call.tool.arguments) {
      if (is_secret_path(leaf.text)) acts.add(ActKind::kReadsSecret, leaf.text);
    }
    return;
  }
  read_switch(call, words, acts);
  const bool wide =
      std::ranges::any_of(call.tool.arguments, [](const Leaf& leaf) { return is_wide(leaf.text); });
  if (wide && words.has_any(kGrantWords)) add_all(call, ActKind::kOpens, acts);
}

}  // namespace

bool Acts::has(ActKind kind) const {
  return std::any_of(begin(), end(), [kind](const Act& act) { return act.kind == kind; });
}

bool is_secret_path(std::string_view path) {
  constexpr std::size_t kPathBytesMax = 512;
  if (path.size() < 4 || path.size() > kPathBytesMax) return false;
  if (path.find_first_of(" \n\t") != std::string_view::npos) return false;
  const std::size_t slash = path.find_last_of("/\\");
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const std::string_view folder = slash == std::string_view::npos ? "" : path.substr(0, slash);
  if (name.ends_with(".pub") || name.ends_with(".example") || name.ends_with(".sample") ||
      name.ends_with(".template")) {
    return false;
  }
  if (one_of(name, {".env",
                    ".netrc",
                    "_netrc",
                    ".pgpass",
                    ".git-credentials",
                    ".npmrc",
                    ".pypirc",
                    ".htpasswd",
                    "id_rsa",
                    "id_ed25519",
                    "id_ecdsa",
                    "id_dsa",
                    "credentials.json",
                    "secrets.yaml",
                    "secrets.yml",
                    "secrets.json",
                    ".vault-token",
                    "wallet.dat",
                    "logins.json",
                    "kubeconfig",
                    "shadow",
                    "gshadow",
                    "sam",
                    "SAM",
                    "service-account.json",
                    "master.key"})) {
    return !one_of(name, {"shadow", "gshadow", "sam", "SAM"}) || folder.ends_with("etc") ||
           folder.ends_with("config");
  }
  if (name.starts_with(".env.") || name.ends_with(".env") || name.ends_with(".pem") ||
      name.ends_with(".kdbx") || name.ends_with(".p12") || name.ends_with(".pfx")) {
    return true;
  }
  return (folder.ends_with(".aws") && name == "credentials") ||
         (folder.ends_with(".kube") && name == "config") ||
         (folder.ends_with(".docker") && name == "config.json") || folder.ends_with(".gnupg") ||
         path.contains("/run/secrets/") || path.contains("/proc/self/environ") ||
         name == "Login Data";
}

bool is_control(std::string_view name) {
  if (name.ends_with(".service")) name.remove_suffix(std::string_view(".service").size());
  return one_of(
      name,
      {// services
       "auditd", "rsyslog", "rsyslogd", "syslog", "syslogd", "syslog-ng", "systemd-journald",
       "falco", "osqueryd", "clamav", "clamd", "clamav-daemon", "falcon-sensor", "fail2ban", "ufw",
       "firewalld", "iptables", "nftables", "apparmor", "wazuh-agent", "filebeat", "auditbeat",
       "fluentd", "fluent-bit", "promtail", "datadog-agent", "mdatp", "WinDefend", "EventLog",
       "Sysmon", "crowdsec", "aide", "suricata",
       // words of a tool's or a setting's name
       "logging", "audit", "auditing", "firewall", "guardrail", "guardrails", "mfa", "fa", "otp",
       "totp", "monitoring", "antivirus", "edr", "waf", "ids", "siem", "cloudtrail", "guardduty",
       "selinux", "moderation", "dlp"});
}

const Acts& acts_of(const Event& call, const EventContext& context) {
  if (context.acts.acts_) return *context.acts.acts_;
  Acts& acts = context.acts.acts_.emplace();
  if (context.tool.effect == Effect::kExecute) {
    for (const Leaf& leaf : call.tool.arguments) {
      if (leaf.kind == LeafKind::kString) read_command(leaf.text, acts);
    }
  } else {
    read_tool(call, context, acts);
  }
  return acts;
}

}  // namespace tocsin::session
