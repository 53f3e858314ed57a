// What is measured on: events of a kilobyte, and as many rules as one wants.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace tocsin::bench {

// Ordinary agent traffic, the same every time: sessions of questions, calls, results in prose and
// in JSON, and answers, about a kilobyte each.  No shipped rule finds anything in it.
std::vector<std::string> ordinary_events(std::size_t count);

// Agents at work, about twelve events a session, the same every time: a question, calls with
// addresses and amounts, results of one to four kilobytes of mail and records, an answer.
std::vector<std::string> agent_sessions(std::size_t count);

// Ordinary events with every twentieth replaced by one that shipped rules find something in: 5 %.
std::vector<std::string> mixed_events(std::vector<std::string> ordinary);

// A pack of `count` rules nobody ships, written to `file`: half of them look for tokens with a
// prefix, half for phrases with gaps.
void write_invented_pack(const std::filesystem::path& file, std::size_t count);

// Packs with `count` rules in all: the shipped ones, and invented ones in a pack that is written to
// `folder`.
std::vector<std::filesystem::path> packs_of(const std::filesystem::path& folder, std::size_t count);

}  // namespace tocsin::bench
