// URLs, addresses and every validator on arbitrary bytes: whatever is found keeps to its bounds,
// and every view leads into the text.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/check.h"
#include "detectors/validate/address.h"
#include "detectors/validate/url.h"
#include "detectors/validate/validators.h"

namespace {

using tocsin::validate::Argument;
using tocsin::validate::Url;
using tocsin::validate::UrlFinder;
using tocsin::validate::Validator;

std::vector<Validator> all_validators() {
  std::vector<Validator> out;
  for (const std::string_view name : tocsin::validate::names()) {
    Argument argument;
    if (name == "entropy") argument = 3.5;
    if (name == "charset") argument = std::vector<std::string>{"lower", "digit"};
    if (name == "address") argument = std::vector<std::string>{"private", "10.0.0.0/8"};
    out.push_back(tocsin::validate::make(name, argument).value());
  }
  return out;
}

void check_url(const Url& url) {
  CHECK(url.text.size() <= tocsin::validate::kUrlBytesMax);
  CHECK(url.host().size() <= tocsin::validate::kHostBytesMax);
  for (const char c : url.host()) {
    CHECK(static_cast<unsigned char>(c) > ' ');
    CHECK(c != '/');
  }
  for (const std::string_view part : {url.userinfo, url.path, url.query, url.fragment}) {
    if (part.empty()) continue;
    CHECK(part.data() >= url.text.data());
    CHECK(part.data() + part.size() <= url.text.data() + url.text.size());
  }
  const std::string_view domain = tocsin::validate::registrable_domain(url.host());
  CHECK(url.host().ends_with(domain));
  if (!domain.empty()) CHECK(tocsin::validate::is_within(url.host(), domain));
  (void)tocsin::validate::host_classes(url.host());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Validator> kValidators = all_validators();
  const std::string text(reinterpret_cast<const char*>(data), size);
  UrlFinder finder(text);
  std::size_t count = 0;
  while (const std::optional<Url> url = finder.next()) {
    check_url(*url);
    ++count;
  }
  CHECK(count <= UrlFinder::kMax);
  (void)tocsin::validate::address_in(text);
  if (const auto network = tocsin::validate::parse_cidr(text)) {
    CHECK(network->contains(network->network));
  }
  for (const Validator& validator : kValidators) (void)validator(text);
  return 0;
}
