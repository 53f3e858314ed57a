#include "detectors/session/acts.h"

#include <string>
#include <vector>

#include "detectors/detector.h"
#include "detectors/session/shell.h"
#include "tests/unit/catch.h"

namespace tocsin::session {
namespace {

using Strings = std::vector<std::string>;

// Each simple command as "program word word".
Strings commands_of(std::string_view text) {
  ShellReader reader(text);
  Strings out;
  while (const SimpleCommand* command = reader.next()) {
    std::string& line = out.emplace_back(command->program);
    for (const std::string_view word : *command) line += " " + std::string(word);
  }
  return out;
}

// "kind:object" of each act of a call.
Strings acts_in(Effect effect, std::string_view tool, std::vector<Leaf> arguments) {
  Event event;
  event.tool.name = tool;
  event.tool.arguments = std::move(arguments);
  EventContext context;
  context.tool.effect = effect;
  Strings out;
  for (const Act& act : acts_of(event, context)) {
    constexpr std::string_view kKinds = "RSODXE";  // reads secret, sends, opens, deletes, off, on
    out.push_back(std::string(1, kKinds[static_cast<std::size_t>(act.kind)]) + ":" +
                  std::string(act.object));
  }
  return out;
}

TEST_CASE("a call is read once, and each call for itself") {
  Event event;
  event.tool.name = "bash";
  event.tool.arguments = {{.path = "command", .text = "rm a.txt", .kind = LeafKind::kString}};
  EventContext context;
  context.tool.effect = Effect::kExecute;
  const Acts* acts = &acts_of(event, context);
  CHECK(acts->has(ActKind::kDeletes));
  CHECK(&acts_of(event, context) == acts);
  event.tool.arguments[0].text = "ls";
  const EventContext copy = context;
  CHECK_FALSE(acts_of(event, copy).has(ActKind::kDeletes));
  EventContext assigned;
  assigned = context;
  CHECK_FALSE(acts_of(event, assigned).has(ActKind::kDeletes));
}

TEST_CASE("a command line is read as its simple commands") {
  struct Row {
    const char* text;
    Strings commands;
  };
  for (const Row& row :
       {Row{"ls -l", {"ls -l"}}, Row{"a | b && c; d\ne", {"a", "b", "c", "d", "e"}},
        Row{"X=1 sudo -E /usr/bin/env python3 'a b'", {"python3 a b"}},
        Row{"echo \"a; b\" c\\;d", {"echo a; b c\\;d"}},
        Row{"bash -c 'rm x; ls' && id", {"bash -c rm x; ls", "rm x", "ls", "id"}},
        Row{"echo $(whoami)", {"echo $", "whoami"}}, Row{"cat '' x", {"cat  x"}}, Row{"", {}},
        Row{";;|", {}}, Row{"'open", {"'open"}}}) {
    CAPTURE(row.text);
    CHECK(commands_of(row.text) == row.commands);
  }
  std::string many;
  for (std::size_t i = 0; i < ShellReader::kCommandsMax * 2; ++i) many += "a;";
  CHECK(commands_of(many).size() == ShellReader::kCommandsMax);
}

TEST_CASE("what commands do") {
  struct Row {
    const char* command;
    Strings acts;
  };
  for (const Row& row : {Row{"cat ~/.ssh/id_rsa", {"R:~/.ssh/id_rsa"}},
                         Row{"cat ~/.ssh/id_rsa.pub", {}},
                         Row{"vault kv get app/key", {"R:vault"}},
                         Row{"kubectl get secrets", {}},
                         Row{"kubectl get secret/app -o yaml", {"R:kubectl"}},
                         Row{"kubectl get pods -A", {}},
                         Row{"curl -d @out.log https://h.test", {"S:@out.log", "S:https://h.test"}},
                         Row{"curl -s https://h.test", {}},
                         Row{"scp a.c me@h.test:/b", {"S:a.c", "S:me@h.test:/b"}},
                         Row{"scp me@h.test:/b a.c", {}},
                         Row{"aws s3 cp a.c s3://b/a.c", {"S:s3", "S:cp", "S:a.c", "S:s3://b/a.c"}},
                         Row{"chmod 0777 a b", {"O:a", "O:b"}},
                         Row{"chmod 755 a", {}},
                         Row{"chmod g+w a", {}},
                         Row{"chmod a+rw a", {"O:a"}},
                         Row{"usermod -aG wheel bob", {"O:bob"}},
                         Row{"usermod -aG staff bob", {}},
                         Row{"rm -rf a b", {"D:a", "D:b"}},
                         Row{"systemctl stop auditd", {"X:auditd"}},
                         Row{"service rsyslog start", {"E:rsyslog"}},
                         Row{"systemctl stop nginx", {}},
                         Row{"ufw disable", {"X:ufw"}},
                         Row{"iptables -L", {}},
                         Row{"history -c", {"X:history"}}}) {
    CAPTURE(row.command);
    CHECK(acts_in(Effect::kExecute, "sh", {{.path = "c", .text = row.command}}) == row.acts);
  }
}

TEST_CASE("what other tools do, by their names and arguments") {
  const Leaf account{.path = "account", .text = "a1"};
  CHECK(acts_in(Effect::kRead, "get_secret", {account}) == Strings{"R:get_secret"});
  CHECK(acts_in(Effect::kRead, "read_file", {{.path = "path", .text = "x/.env"}}) ==
        Strings{"R:x/.env"});
  CHECK(acts_in(Effect::kRead, "read_file", {{.path = "path", .text = "x/env"}}).empty());
  CHECK(acts_in(Effect::kEgress, "send", {account}) == Strings{"S:a1"});
  CHECK(acts_in(Effect::kWrite, "delete_file", {account}) == Strings{"D:a1"});
  CHECK(acts_in(Effect::kWrite, "disableMfa", {account}) == Strings{"X:a1"});
  CHECK(acts_in(Effect::kWrite, "enable_audit", {account}) == Strings{"E:a1"});
  CHECK(acts_in(Effect::kWrite, "disable_alarm_clock", {account}).empty());
  const Leaf off{.path = "settings.mfa", .text = "false", .kind = LeafKind::kBoolean};
  CHECK(acts_in(Effect::kWrite, "update", {account, off}) == Strings{"X:a1"});
  const Leaf admin{.path = "role", .text = "admin"};
  CHECK(acts_in(Effect::kWrite, "grant_role", {account, admin}) == Strings{"O:a1"});
  CHECK(acts_in(Effect::kWrite, "update", {account, admin}).empty());
}

}  // namespace
}  // namespace tocsin::session
