#include "daemon/sink/sinks_config.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"
#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

struct Loaded {
  explicit Loaded(const std::string& text) {
    dir.write("good", std::string(32, 'k') + "\n");
    dir.write("short", "tooshort\n");
    dir.write("token", "t0k3n\n");
    dir.write("two-words", "a b\n");
    config = load_config(
        dir.write("tocsin.yaml", text), false, [](const std::string&) { return std::nullopt; }, {},
        diagnostics);
  }
  // "line:col message" of each.
  [[nodiscard]] Strings briefly() const {
    Strings out;
    for (const Diagnostic& d : diagnostics.all()) {
      std::string message = d.message;
      // Where the file is differs from run to run.
      if (const auto at = message.find(dir.path().string()); at != std::string::npos) {
        message.erase(at, dir.path().string().size() + 1);
      }
      out.push_back(fmt::format("{}:{} {}", d.line, d.column, message));
    }
    return out;
  }

  testing::TempDir dir;
  Diagnostics diagnostics;
  Config config;
};

TEST_CASE("sinks config: the least of a webhook") {
  const Loaded loaded(
      "webhooks:\n  - {name: soar, url: 'https://a.example/x', secret_file: good, send: "
      "[requests]}\n");
  REQUIRE(loaded.briefly() == Strings{});
  REQUIRE(loaded.config.webhooks.size() == 1);
  const WebhookConfig& webhook = loaded.config.webhooks[0];
  CHECK(webhook.name == "soar");
  CHECK(webhook.url.text == "https://a.example/x");
  CHECK(webhook.key == std::string(32, 'k'));
  CHECK_FALSE(webhook.findings);
  CHECK_FALSE(webhook.incidents);
  CHECK(webhook.requests);
  CHECK(webhook.severity_min == Severity::kHigh);
  CHECK(webhook.format == SinkFormat::kTocsin);
  CHECK(webhook.http.timeout == std::chrono::seconds(10));
  CHECK(webhook.give_up == std::chrono::hours(1));
}

TEST_CASE("sinks config: everything of a webhook") {
  const Loaded loaded(R"(webhooks:
  - name: soar-2
    url: http://127.0.0.1:1/
    secret_file: good
    send: [findings, incidents]
    severity_min: low
    format: ocsf
    timeout_seconds: 3
    give_up_seconds: 5
    ca_file: token
    proxy: http://proxy.example:3128
)");
  REQUIRE(loaded.briefly() == Strings{});
  const WebhookConfig& webhook = loaded.config.webhooks.at(0);
  CHECK(webhook.findings);
  CHECK(webhook.incidents);
  CHECK_FALSE(webhook.requests);
  CHECK(webhook.severity_min == Severity::kLow);
  CHECK(webhook.format == SinkFormat::kOcsf);
  CHECK(webhook.http.timeout == std::chrono::seconds(3));
  CHECK(webhook.give_up == std::chrono::seconds(5));
  CHECK(webhook.http.ca_file == (loaded.dir.path() / "token").string());
  CHECK(webhook.http.proxy == "http://proxy.example:3128");
}

TEST_CASE("sinks config: every mistake of a webhook is reported where it stands") {
  struct Row {
    std::string_view webhook;
    std::string_view complaint;
  };
  // At 1:12 each begins.
  const Row rows[] = {
      {"x", "1:12 webhooks: expected a map, found a single value"},
      {"~", "1:12 a webhook is missing here"},
      {"{url: 'https://a', secret_file: good, send: [findings]}",
       "1:12 `webhooks.name` is missing"},
      {"{name: a, secret_file: good, send: [findings]}", "1:12 `webhooks.url` is missing"},
      {"{name: a, url: 'https://a', send: [findings]}", "1:12 `webhooks.secret_file` is missing"},
      {"{name: a, url: 'https://a', secret_file: good}", "1:12 `webhooks.send` is missing"},
      {"{name: Soar, url: 'https://a', secret_file: good, send: [findings]}",
       "1:19 `Soar` is no name for a webhook"},
      {"{name: -a, url: 'https://a', secret_file: good, send: [findings]}",
       "1:19 `-a` is no name for a webhook"},
      {"{name: '', url: 'https://a', secret_file: good, send: [findings]}",
       "1:19 `` is no name for a webhook"},
      {"{name: a, url: 'http://b.example/', secret_file: good, send: [findings]}",
       "1:27 `url` is not encrypted"},
      {"{name: a, url: 'http://b.example/', insecure: true, secret_file: good, send: [findings]}",
       "1:27 `url` is not encrypted: whoever is on the way reads along"},
      {"{name: a, url: 'https://u:hunter2@b.example/', secret_file: good, send: [findings]}",
       "1:27 `url` cannot be posted to: it holds a name or password"},
      {"{name: a, url: 'ftp://b.example/', secret_file: good, send: [findings]}",
       "1:27 `url` cannot be posted to: it is neither https nor http"},
      {"{name: a, url: 'https://a', secret_file: none, send: [findings]}",
       "1:53 the secret file `none` cannot be read"},
      {"{name: a, url: 'https://a', secret_file: short, send: [findings]}",
       "1:53 the secret in `short` will not do: it has 8 bytes"},
      {"{name: a, url: 'https://a', secret_file: good, send: [finding]}",
       "1:65 `finding` is nothing that `webhooks.send` knows"},
      {"{name: a, url: 'https://a', secret_file: good, send: []}", "1:65 `webhooks.send` is empty"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], severity_min: grave}",
       "1:91 `grave` is not a value for `webhooks.severity_min`"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], format: cef}",
       "1:85 `cef` is not a value for `webhooks.format`"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], timeout_seconds: 61}",
       "1:94 `61` is not a value for `webhooks.timeout_seconds`"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], give_up_seconds: 0}",
       "1:94 `0` is not a value for `webhooks.give_up_seconds`"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], ca_file: none}",
       "1:86 the ca_file `none` cannot be read"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], proxy: 'ftp://b'}",
       "1:84 `proxy` will not do: it is neither https nor http"},
      {"{name: a, url: 'https://a', secret_file: good, send: [findings], secret: x}",
       "1:77 unknown key `webhooks.secret`"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.webhook);
    const Loaded loaded(fmt::format("webhooks: [{}]\n", row.webhook));
    CHECK(loaded.briefly() == Strings{std::string(row.complaint)});
    REQUIRE_FALSE(loaded.diagnostics.all().empty());
    CHECK_FALSE((loaded.diagnostics.all()[0].hint.empty() && row.webhook != "x"));
  }
}

TEST_CASE("sinks config: names are each webhook's own, and there are not too many") {
  const auto webhook = [](std::string_view name) {
    return fmt::format("{{name: {}, url: 'https://a', secret_file: good, send: [findings]}}", name);
  };
  CHECK(Loaded(fmt::format("webhooks:\n- {}\n- {}\n", webhook("a"), webhook("a"))).briefly() ==
        Strings{"3:10 a second webhook is called `a`"});
  std::string many = "webhooks:\n";
  for (int i = 0; i < 17; ++i) many += fmt::format("- {}\n", webhook(fmt::format("a{}", i)));
  CHECK(Loaded(many).briefly() == Strings{"2:1 `webhooks` has 17 items"});
  CHECK(Loaded("webhooks: {name: a}\n").briefly() == Strings{"1:11 `webhooks` must be a list"});
}

TEST_CASE("sinks config: who is told of incidents needs them") {
  CHECK(Loaded("topics: {incidents: ''}\nwebhooks: [{name: a, url: 'https://a', secret_file: good, "
               "send: [findings, requests]}]\n")
            .briefly() ==
        Strings{"2:11 the webhook `a` sends incidents or requests, and there are none"});
  CHECK(Loaded("topics: {incidents: ''}\nalertmanager: {urls: ['https://a']}\n").briefly() ==
        Strings{"0:0 `alertmanager.urls` is told of incidents, and there are none"});
}

TEST_CASE("sinks config: Alertmanager") {
  CHECK(Loaded("").config.alertmanager.urls.empty());
  const Loaded loaded(R"(alertmanager:
  urls: ['https://a.example/am/', 'http://localhost:9093']
  severity_min: critical
  resend_seconds: 30
  timeout_seconds: 2
  token_file: token
  external_url: https://tocsin.example/
  runbook_url: https://runbooks.example/it.md
)");
  REQUIRE(loaded.briefly() == Strings{});
  const AlertmanagerConfig& config = loaded.config.alertmanager;
  REQUIRE(config.urls.size() == 2);
  CHECK(config.urls[0].text == "https://a.example/am");
  CHECK(config.urls[1].text == "http://localhost:9093");
  CHECK(config.severity_min == Severity::kCritical);
  CHECK(config.resend == std::chrono::seconds(30));
  CHECK(config.http.timeout == std::chrono::seconds(2));
  CHECK(config.token == "t0k3n");
  CHECK(config.links.external_url == "https://tocsin.example");
  CHECK(config.links.runbook_url == "https://runbooks.example/it.md");
}

TEST_CASE("sinks config: every mistake about Alertmanager is reported where it stands") {
  struct Row {
    std::string_view text;
    std::string_view complaint;
  };
  const Row rows[] = {
      {"x", "1:15 alertmanager: expected a map, found a single value"},
      {"{url: x}", "1:16 unknown key `alertmanager.url`"},
      {"{urls: ['http://a.example']}", "1:22 `alertmanager.urls` is not encrypted"},
      {"{urls: [nonsense]}", "1:22 `alertmanager.urls` cannot be posted to: it is not a URL"},
      {"{urls: ['https://a.example/?x=1']}",
       "1:22 `alertmanager.urls` cannot be posted to: it holds a query"},
      {"{resend_seconds: 4}", "1:32 `4` is not a value for `alertmanager.resend_seconds`"},
      {"{token_file: two-words}", "1:28 `two-words` holds no bearer token"},
      {"{token_file: none}", "1:28 the secret file `none` cannot be read"},
      {"{external_url: x y}",
       "1:30 `alertmanager.external_url`: it holds a blank or a control character"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(Loaded(fmt::format("alertmanager: {}\n", row.text)).briefly() ==
          Strings{std::string(row.complaint)});
  }
}

TEST_CASE("sinks config: no complaint shows a secret") {
  const Loaded loaded(
      "webhooks:\n- name: a\n  url: https://u:hunter2@a/\n  secret_file: short\n  send: "
      "[findings]\n");
  CHECK(loaded.diagnostics.errors() == 2);
  std::ostringstream out;
  print(out, loaded.diagnostics, false);
  CHECK(out.str().find("hunter2") == std::string::npos);
  CHECK(to_json(loaded.diagnostics).find("hunter2") == std::string::npos);
  CHECK(out.str().find("tooshort") == std::string::npos);
}

}  // namespace
}  // namespace tocsin
