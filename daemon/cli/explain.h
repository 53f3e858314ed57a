// One session as a timeline that a person can read: `tocsin replay --explain SESSION`.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "detectors/detector.h"

namespace tocsin::cli {

// Writes events as they come, each with what is known of its values, and behind it what was found.
// Texts are cut short and made safe for a terminal, but not masked: who can read the recording can
// read this.
class Explainer {
 public:
  Explainer(std::ostream& out, std::string session, bool coloured)
      : out_(out), session_(std::move(session)), coloured_(coloured) {}

  void on_event(const Event& event, const EventContext& context);
  void on_finding(const Finding& finding);

  // Of the session so far.
  [[nodiscard]] std::size_t events() const { return events_; }

 private:
  void head(const Event& event, const EventContext& context);
  void body(const Event& event);
  void leaves(std::string_view name, const std::vector<Leaf>& leaves);
  void note(std::string_view what, std::string_view text);
  void explain_call(const EventContext& context);
  void explain_result(const EventContext& context);
  void explain_user(const EventContext& context);
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;

  std::ostream& out_;
  std::string session_;
  bool coloured_;
  std::size_t events_ = 0;
};

}  // namespace tocsin::cli
