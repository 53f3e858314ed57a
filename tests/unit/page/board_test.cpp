#include "daemon/page/board.h"

#include <fmt/format.h>

#include <string>

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

using Json = nlohmann::json;

std::string incident(const std::string& id, const std::string& merged_into = {}) {
  Json json = {{"incident_id", id}};
  if (!merged_into.empty()) json["merged_into"] = merged_into;
  return json.dump();
}

}  // namespace

TEST_CASE("board: findings come newest first, and so many of them") {
  Board board;
  CHECK(Json::parse(board.findings()) == Json{{"findings", Json::array()}});
  for (std::size_t i = 0; i < Board::kFindingsMax + 3; ++i) {
    board.add_finding(fmt::format(R"({{"seq":{}}})", i));
  }
  const Json findings = Json::parse(board.findings())["findings"];
  REQUIRE(findings.size() == Board::kFindingsMax);
  CHECK(findings.front()["seq"] == Board::kFindingsMax + 2);
  CHECK(findings.back()["seq"] == 3);
}

TEST_CASE("board: large findings push out more than one") {
  Board board;
  for (int i = 0; i < 5; ++i) board.add_finding("\"" + std::string(1'500'000, 'a') + "\"");
  CHECK(Json::parse(board.findings())["findings"].size() == 2);
}

TEST_CASE("board: an incident is as it stands now, where it stands") {
  Board board;
  board.put_incident(0, "a", true, incident("a"));
  board.put_incident(1, "b", true, incident("b"));
  board.put_incident(0, "a", false, R"({"incident_id":"a","state":"contained"})");
  Json all = Json::parse(board.incidents());
  REQUIRE(all["incidents"].size() == 2);
  CHECK(all["incidents"][0]["state"] == "contained");  // changed last
  CHECK(all["left_out"] == 0);
  board.forget(0);
  CHECK_FALSE(board.incident("a").has_value());
  CHECK(board.incident("b").has_value());
  board.remove_incident("b");
  board.remove_incident("b");
  CHECK(Json::parse(board.incidents())["incidents"].empty());
}

TEST_CASE("board: what became part of another incident leads to that one") {
  Board board;
  board.put_incident(0, "a", true, incident("a"));
  board.put_incident(0, "b", false, incident("b", "a"));
  board.put_incident(0, "c", false, incident("c", "b"));
  REQUIRE(board.incident("c").has_value());
  CHECK(Json::parse(*board.incident("c"))["incident_id"] == "a");
  board.put_incident(0, "d", false, incident("d", "gone"));
  CHECK_FALSE(board.incident("d").has_value());
  board.put_incident(0, "x", false,
                     incident("x", "y"));  // nobody writes such: it must end all the same
  board.put_incident(0, "y", false, incident("y", "x"));
  CHECK_FALSE(board.incident("x").has_value());
}

TEST_CASE("board: beyond its bounds the open ones stay") {
  Board board;
  for (std::size_t i = 0; i < Board::kIncidentsMax; ++i) {
    board.put_incident(0, fmt::format("open{}", i), true, incident("o"));
  }
  board.put_incident(0, "closed", false, incident("c"));
  CHECK_FALSE(board.incident("closed").has_value());
  board.put_incident(0, "another", true, incident("n"));
  CHECK(board.incident("another").has_value());
  CHECK_FALSE(board.incident("open0").has_value());
  CHECK(Json::parse(board.incidents())["left_out"] == 2);
}

}  // namespace tocsin
