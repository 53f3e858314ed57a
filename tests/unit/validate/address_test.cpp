#include "detectors/validate/address.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/catch.h"

namespace tocsin::validate {
namespace {

// "v4:7f000001", "v6:<32 digits>" or "none".
std::string read(std::string_view text, Notation notation = Notation::kHost) {
  const auto address = parse_address(text, notation);
  if (!address) return "none";
  std::string out = address->is_v4() ? "v4:" : "v6:";
  for (std::size_t i = address->is_v4() ? 12 : 0; i < 16; ++i) {
    out += "0123456789abcdef"[address->bytes[i] >> 4];
    out += "0123456789abcdef"[address->bytes[i] & 15];
  }
  return out;
}

TEST_CASE("an IPv4 address in every notation that a host may have") {
  for (const std::string_view text :
       {"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1",
        "0x7F.0.0x0.01", "0177.0.0.1", "0177.1", "017700000001", "00000177.0.0.1", "0x7f.0.0.0x1",
        "::ffff:127.0.0.1", "::FFFF:7f00:1", "[::ffff:7f00:1]", "0:0:0:0:0:ffff:127.0.0.1"}) {
    CAPTURE(text);
    CHECK(read(text) == "v4:7f000001");
  }
  struct Row {
    std::string_view text;
    std::string_view read;
  };
  const Row rows[] = {
      {"0", "v4:00000000"},
      {"1", "v4:00000001"},
      {"255.255.255.255", "v4:ffffffff"},
      {"4294967295", "v4:ffffffff"},
      {"1.2.65535", "v4:0102ffff"},
      {"1.16777215", "v4:01ffffff"},
      {"0x", "v4:00000000"},
      {"08.8.8.8", "v4:08080808"},  // not octal, so decimal
      {"010.0.0.1", "v4:08000001"},
      {"4294967296", "none"},
      {"256.0.0.1", "none"},
      {"1.2.3.256", "none"},
      {"1.2.65536", "none"},
      {"1.16777216", "none"},
      {"1.2.3.4.5", "none"},
      {"1..2", "none"},
      {".1", "none"},
      {"1.2.3.4..", "none"},
      {".", "none"},
      {"", "none"},
      {"1.2.3.a", "none"},
      {"0xg", "none"},
      {"-1", "none"},
      {" 1.2.3.4", "none"},
      {"1.2.3.4 ", "none"},
      {"example", "none"},
      {"[127.0.0.1]", "none"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(read(row.text) == row.read);
  }
  CHECK(read(std::string(81, '0')) == "none");
}

TEST_CASE("what a text means by an address is narrower than what a host may be") {
  for (const std::string_view text : {"1.5", "2130706433", "127.1", "80", "0x7f000001", "10"}) {
    CAPTURE(text);
    CHECK(read(text, Notation::kWritten) == "none");
  }
  CHECK(read("127.0.0.1", Notation::kWritten) == "v4:7f000001");
  CHECK(read("0177.0.0.1", Notation::kWritten) == "v4:7f000001");
  CHECK(read("::1", Notation::kWritten) == "v6:00000000000000000000000000000001");
}

TEST_CASE("IPv6 addresses") {
  struct Row {
    std::string_view text;
    std::string_view read;
  };
  const Row rows[] = {
      {"::", "v6:00000000000000000000000000000000"},
      {"::1", "v6:00000000000000000000000000000001"},
      {"[::1]", "v6:00000000000000000000000000000001"},
      {"fe80::1%eth0", "v6:fe800000000000000000000000000001"},
      {"[fe80::1%25eth0]", "v6:fe800000000000000000000000000001"},
      {"1:2:3:4:5:6:7:8", "v6:00010002000300040005000600070008"},
      {"1::8", "v6:00010000000000000000000000000008"},
      {"1:2:3:4:5:6:7::", "v6:00010002000300040005000600070000"},
      {"::2:3:4:5:6:7:8", "v6:00000002000300040005000600070008"},
      {"64:ff9b::1.2.3.4", "v6:0064ff9b000000000000000001020304"},
      {"fd00:EC2::254", "v6:fd000ec2000000000000000000000254"},
      {"1:2:3:4:5:6:7", "none"},
      {"1:2:3:4:5:6:7:8:9", "none"},
      {"1::2::3", "none"},
      {":::", "none"},
      {":1", "none"},
      {"1:", "none"},
      {":", "none"},
      {"::12345", "none"},
      {"::g", "none"},
      {"::1.2.3", "none"},
      {"::1.2.3.04", "none"},
      {"1:2:3:4:5:6:7:1.2.3.4", "none"},
      {"::1.2.3.4:5", "none"},
      {"fe80::1%", "none"},
      {"[::1", "none"},
      {"::1]", "none"},
      {"[]", "none"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(read(row.text) == row.read);
  }
}

TEST_CASE("networks") {
  struct Row {
    std::string_view network;
    std::string_view address;
    bool contains;
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"192.0.2.6/31", "192.0.2.7", true},
      {"0.0.0.0/0", "255.1.2.3", true},
      {"0.0.0.0/0", "::1", false},
      {"0.0.0.0/0", "::ffff:1.2.3.4", true},
      {"::/0", "fd00::1", true},
      {"::/0", "1.2.3.4", true},  // an IPv4 address is an IPv6 one, mapped
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fc00::1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.network, row.address);
    const auto network = parse_cidr(row.network);
    REQUIRE(network);
    CHECK(network->contains(parse_address(row.address, Notation::kHost).value()) == row.contains);
  }
  for (const std::string_view bad :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8",
        "10/8", "010.0.0.0/8", "::/129", "fd00::1/8", "example.com", "10.0.0.0/8/8"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_cidr(bad));
  }
  CHECK(parse_cidr("10.0.0.1/8").error() == "`10.0.0.1/8` has bits beyond its prefix of 8");
}

std::string classes(std::string_view host) {
  const std::uint16_t bits = host_classes(host);
  std::string out;
  for (std::size_t i = 0; i < kAddressClassCount; ++i) {
    if ((bits >> i & 1) == 0) continue;
    if (!out.empty()) out += ' ';
    out += kAddressClassNames[i];
  }
  return out;
}

TEST_CASE("what a host leads to") {
  struct Row {
    std::string_view host;
    std::string_view classes;
  };
  const Row rows[] = {
      {"127.0.0.1", "loopback"},
      {"127.255.0.9", "loopback"},
      {"2130706433", "loopback"},
      {"::1", "loopback"},
      {"localhost", "loopback"},
      {"LocalHost.", "loopback"},
      {"a.localhost", "loopback"},
      {"notlocalhost", ""},
      {"ip6-loopback", "loopback"},
      {"x.localtest.me", "loopback"},
      {"10.1.2.3", "private"},
      {"172.16.0.1", "private"},
      {"172.32.0.1", "public"},
      {"192.168.255.255", "private"},
      {"fc00::1", "private"},
      {"fdab::1", "private"},
      {"fec0::1", "private"},
      {"169.254.1.1", "link-local"},
      {"fe80::1%eth0", "link-local"},
      {"169.254.169.254", "link-local metadata"},
      {"2852039166", "link-local metadata"},
      {"0xa9fea9fe", "link-local metadata"},
      {"0251.0376.0251.0376", "link-local metadata"},
      {"::ffff:a9fe:a9fe", "link-local metadata"},
      {"169.254.170.2", "link-local metadata"},
      {"fd00:ec2::254", "private metadata"},
      {"fd20:ce::254", "private metadata"},
      {"100.100.100.200", "metadata reserved"},
      {"168.63.129.16", "metadata"},
      {"192.0.0.192", "metadata reserved"},
      {"metadata.google.internal", "metadata"},
      {"METADATA.GOOGLE.INTERNAL.", "metadata"},
      {"metadata.goog", "metadata"},
      {"instance-data", "metadata"},
      {"my.metadata.goog", ""},
      {"metadata.example.com", ""},
      {"0.0.0.0", "unspecified reserved"},
      {"0", "unspecified reserved"},
      {"::", "unspecified"},
      {"0.1.2.3", "reserved"},
      {"224.0.0.1", "multicast"},
      {"ff02::1", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"100.64.0.1", "reserved"},
      {"198.18.0.1", "reserved"},
      {"192.0.2.7", "documentation public"},
      {"203.0.113.9", "documentation public"},
      {"2001:db8::1", "documentation public"},
      {"8.8.8.8", "public"},
      {"2606:4700::1111", "public"},
      {"64:ff9b::a9fe:a9fe", "link-local metadata"},
      {"64:ff9b::8.8.8.8", "public"},
      {"2002:7f00:1::", "loopback"},
      {"::10.0.0.1", "private"},
      {"127.0.0.1.nip.io", "loopback"},
      {"app.10.0.0.1.sslip.io", "private"},
      {"app-169-254-169-254.nip.io", "link-local metadata"},
      {"a9fea9fe.nip.io", "link-local metadata"},
      {"nip.io", ""},
      {"example.nip.io", ""},
      {"1.2.3.nip.io", ""},
      {"1.2.3.256.nip.io", ""},
      {"example.com", ""},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.host);
    CHECK(classes(row.host) == row.classes);
  }
}

AddressSet set(const std::vector<std::string>& words) { return AddressSet::parse(words).value(); }

TEST_CASE("classes and networks as a rule lists them") {
  const AddressSet inside = set({"private", "metadata", "203.0.113.0/24"});
  CHECK(inside.contains_host("10.0.0.1"));
  CHECK(inside.contains_host("0x0a000001"));
  CHECK(inside.contains_host("metadata.google.internal"));
  CHECK(inside.contains_host("203.0.113.200"));
  CHECK(inside.contains_host("203.0.113.200.nip.io"));
  CHECK_FALSE(inside.contains_host("127.0.0.1"));
  CHECK_FALSE(inside.contains_host("8.8.8.8"));
  CHECK_FALSE(inside.contains_host("example.com"));
  CHECK(inside.contains(address_of_v4(0x0a000001)));
  CHECK(inside.contains(address_of_v4(0xcb007101)));
  CHECK_FALSE(inside.contains(address_of_v4(0x08080808)));
  CHECK(set({"public"}).contains_host("8.8.8.8"));
  CHECK_FALSE(set({"public"}).contains_host("example.com"));

  CHECK_FALSE(AddressSet::parse({}));
  const std::vector<std::string> misspelled = {"privat"};
  CHECK(AddressSet::parse(misspelled).error() ==
        "`privat` is no class of addresses; write a network or loopback, private, link-local, "
        "metadata, unspecified, multicast, reserved, documentation, public");
  const std::vector<std::string> network = {"10.0.0.0/40"};
  CHECK(AddressSet::parse(network).error() == "the prefix length in `10.0.0.0/40` must be 0 to 32");
}

}  // namespace
}  // namespace tocsin::validate
