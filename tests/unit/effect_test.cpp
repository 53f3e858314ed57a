#include "daemon/profile/effect.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin {
namespace {

TEST_CASE("a tool's effect is told from its name, else from its description") {
  struct Row {
    std::string_view name;
    std::string_view description;
    Effect effect;
  };
  const Row rows[] = {
      {"send_email", "", Effect::kEgress},
      {"sendDirectMessage", "", Effect::kEgress},
      {"gmail.messages.send", "", Effect::kEgress},
      {"SEND_MONEY", "", Effect::kEgress},
      {"mcp__slack__post_message", "", Effect::kEgress},
      {"get_user_info", "", Effect::kRead},
      {"getUserInfo", "", Effect::kRead},
      {"read_inbox", "", Effect::kRead},
      {"search_orders", "", Effect::kRead},  // the verb, not the noun `orders`
      {"get_order", "", Effect::kRead},
      {"fetch_page", "", Effect::kRead},
      {"calculator", "", Effect::kRead},
      {"delete_file", "", Effect::kWrite},
      {"update_user_info", "", Effect::kWrite},
      {"create_calendar_event", "", Effect::kWrite},
      {"create_payment", "", Effect::kEgress},  // a weak verb, and a noun that says more
      {"schedule_transaction", "", Effect::kEgress},
      {"bash", "", Effect::kExecute},
      {"python", "", Effect::kExecute},
      {"python3", "", Effect::kExecute},
      {"shell", "", Effect::kExecute},
      {"run_query", "", Effect::kExecute},
      {"execute_sql", "", Effect::kExecute},
      {"terminal", "", Effect::kExecute},
      {"install_package", "", Effect::kExecute},
      {"webhook", "", Effect::kEgress},
      {"post_status", "", Effect::kEgress},
      {"mail_anybody", "", Effect::kEgress},
      {"list_mail", "", Effect::kRead},
      {"share_details", "", Effect::kEgress},
      {"request_info", "", Effect::kEgress},
      {"share_price", "", Effect::kRead},
      {"order_details", "", Effect::kRead},
      {"order_status_check", "", Effect::kRead},  // the verb stands last, the noun first
      {"store_count", "", Effect::kRead},
      {"order_history", "", Effect::kRead},
      {"order_pizza", "", Effect::kEgress},
      {"grocery_store.find_best", "", Effect::kRead},  // the tool is behind the dot
      {"games.update.find", "", Effect::kRead},
      {"frobnicate", "Returns what was ordered.", Effect::kRead},
      {"order", "Returns an order.", Effect::kRead},
      {"order", "", Effect::kEgress},
      {"return_order", "", Effect::kEgress},
      // The name decides before the description does.
      {"send_report", "Reads a report.", Effect::kEgress},
      {"bash", "Gets things done.", Effect::kExecute},
      // Nothing in the name.
      {"frobnicate", "Sends an e-mail to a customer.", Effect::kEgress},
      {"frobnicate", "Publishes the page.", Effect::kEgress},
      {"frobnicate", "Pushes to the remote.", Effect::kEgress},
      {"frobnicate", "Searches the web.", Effect::kRead},
      {"frobnicate", "Fetches a page.", Effect::kRead},
      {"frobnicate", "Modifies the record.", Effect::kWrite},
      {"frobnicate", "Copies a file.", Effect::kWrite},
      {"frobnicate", "Get the weather.", Effect::kRead},
      {"frobnicate", "Tool to execute code.", Effect::kExecute},
      {"frobnicate", "This tool sends money.", Effect::kEgress},
      {"frobnicate", "This is a tool that deletes accounts.", Effect::kWrite},
      {"frobnicate", "It has no side effects.", Effect::kWrite},  // says who wrote it
      {"frobnicate", "A helper. Use it to read files, for example.", Effect::kWrite},
      // Nothing at all: the stricter reading.
      {"frobnicate", "", Effect::kWrite},
      {"", "", Effect::kWrite},
      {"___", "123", Effect::kWrite},
      // Only whole words count.
      {"getaway", "", Effect::kWrite},
      {"reader", "", Effect::kWrite},
      {"sender", "", Effect::kWrite},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name, row.description);
    CHECK(name_of(infer_effect(row.name, row.description)) == name_of(row.effect));
  }
}

TEST_CASE("a name or description of any length is read to a bound") {
  const std::string filler(1 << 20, 'x');
  CHECK(infer_effect("get_" + filler + "_send") == Effect::kRead);
  CHECK(infer_effect(filler + "_send") == Effect::kWrite);  // the verb stands beyond it
  CHECK(infer_effect("frobnicate", "Sends " + filler) == Effect::kEgress);
  CHECK(infer_effect("frobnicate", filler + " sends") == Effect::kWrite);
}

TEST_CASE("names of effects") {
  CHECK(name_of(Effect::kRead) == "read");
  CHECK(name_of(Effect::kWrite) == "write");
  CHECK(name_of(Effect::kEgress) == "egress");
  CHECK(name_of(Effect::kExecute) == "execute");
}

}  // namespace
}  // namespace tocsin
