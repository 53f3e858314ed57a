#include "detectors/flow/wishes.h"

#include <string_view>

#include "tests/unit/catch.h"

namespace tocsin::flow {
namespace {

UserWishes wishes_of(std::initializer_list<std::string_view> messages) {
  UserWishes wishes;
  Reading reading;
  for (const std::string_view message : messages) {
    read_text(message, reading);
    read_wishes(reading, wishes);
  }
  return wishes;
}

TEST_CASE("who only wants to be told something") {
  const std::string_view messages[] = {
      "What is on my calendar tomorrow?",
      "When does the pharmacy on Quay Street close?",
      "How many open tickets are there?",
      "Who sent the last letter, and what does she want?",
      "Is the boiler still under warranty?",
      "Did the tenant pay in March?",
      "In which hotel is the conference",
      "On what date does the lease end",
      "Any news from the landlord?",
      "Don't forget to tell me who called",
      "Have we got enough flour?",
      "Do I have any unread mail?",
      "Show me the balance of the savings account",
      "List the files in the folder reports",
      "Summarise the last letter of the landlord",
      "Please summarise the minutes of Monday",
      "Can you tell me who is on call tonight?",
      "Could you please check whether the train is late?",
      "Read notes.txt and tell me what it says about the roof",
      "Find the cheapest hotel in Bergen",
      "Compare the two offers",
      "Look up the opening hours of the library",
      "Translate the letter from the bank",
      "Tell us who is late",
      "Tell the difference between the two",
      "Tell which of the two is cheaper",
      "Send me a summary of the thread",
      "Give me the phone number of the plumber",
      "Hi! What did Ann write about the lease?",
      "Explain the difference between the two tariffs",
      "Wann hat die Bibliothek offen?",
      "Zeige mir die offenen Rechnungen",
      "Fasse den Brief der Bank zusammen",
      "Quelle est la date de la réunion ?",
      "Montre la liste des clients",
      "¿Cuánto cuesta el billete a Bergen?",
      "Dime quién llamó ayer",
  };
  for (const std::string_view message : messages) {
    CAPTURE(message);
    const UserWishes wishes = wishes_of({message});
    CHECK(wishes.informs);
    CHECK(wishes.only_informs());
    CHECK(wishes.acts == 0);
    CHECK_FALSE(wishes.unnamed);
    CHECK(wishes.delegated == 0);
  }
}

TEST_CASE("which acts are asked for") {
  struct Row {
    std::string_view message;
    Acts acts;
  };
  const Row rows[] = {
      {"Send the minutes to the whole board", kSend},
      {"Please reply to Ann that I am late", kSend},
      {"Tell Bob that the meeting is moved", kSend},
      {"Tell the landlord that the tap drips", kSend},
      {"Read the minutes and tell them", kSend},
      {"Pay the electricity bill", kPay},
      {"Transfer 300 euros to my savings account", kPay},
      {"Refund order T-49283", kPay},
      {"Create an event for Friday at nine", kCreate},
      {"Add milk to the shopping list", kCreate},
      {"Change the password of the router", kChange},
      {"Move the appointment to Tuesday", kChange},
      {"Delete all drafts older than a year", kDelete},
      {"Cancel my subscription", kDelete},
      {"Run the tests and restart the server", kRun},
      {"Invite Carla to the channel", kGrant},
      {"Give Carla access to the folder", kGrant},
      {"Book a table for four", kBook},
      {"Could you please cancel the order?", kDelete},
      {"Can you reserve two seats?", kBook},
      {"I want you to archive the old tickets", kChange},
      {"I'd like to transfer 40 euros to Ann", kPay},
      {"We need to delete the staging database", kDelete},
      {"Help me create a budget", kCreate},
      {"What is the balance, and pay the rent if it suffices", kPay},
      {"Check the stock and order more paper", kBook},
      {"Look at the invoice, then pay it", kPay},
      {"The level is low, add two litres", kCreate},
      {"Go ahead and delete it", kDelete},
      {"Hi, please forward the offer to Ann. Thanks!", kSend},
      {"Would it be possible to cancel the trip?", kDelete},
      {"Bitte überweise 40 Euro an Ann", kPay},
      {"Lösche die alten Entwürfe", kDelete},
      {"Envoie la liste à Anne", kSend},
      {"Supprimez les anciens brouillons", kDelete},
      {"Envía la lista a Ana", kSend},
      {"Cancela la reserva del viernes", kDelete},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    const UserWishes wishes = wishes_of({row.message});
    CHECK((wishes.acts & row.acts) == row.acts);
    CHECK_FALSE(wishes.only_informs());
  }
}

TEST_CASE("an act that the lexicon does not know is wished for without a name") {
  struct Row {
    std::string_view message;
    bool unnamed;
  };
  const Row rows[] = {
      {"Queue D-9921", true},
      {"Defrost the freezer", true},
      {"Please water the plants", true},
      {"Could you iron the shirts?", true},
      {"Sort the shelf and tell me what is missing", true},
      {"Read the plan and orchestrate the rest", true},
      {"The column for June should be added", true},
      {"Do the usual", true},
      {"Pay the rent", false},
      {"Tell Bob that I am late", false},
      {"What is the time?", false},
      {"Thanks", false},
      {"My name is Ann.", false},
      {"The report is late.", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    CHECK(wishes_of({row.message}).unnamed == row.unnamed);
  }
}

TEST_CASE("what is handed over to a text, and how far") {
  struct Row {
    std::string_view message;
    Acts delegated;
  };
  const Row rows[] = {
      {"Do what the letter says", kAllActs},
      {"Please do everything that is described in setup.md", kAllActs},
      {"Follow the steps in the guide", kAllActs},
      {"Follow the checklist", kAllActs},
      {"Work through the todo list of Monday", kAllActs},
      {"Read the mail of Camille and do what she asks", kAllActs},
      {"Bitte erledige, was in der Datei steht", kAllActs},
      // An act that is named limits it.
      {"Change my rent as described in the letter", kChange},
      {"Send the answers that Ann asked for", kSend},
      {"The notes say who is missing. Add them.", kCreate | kGrant},
      {"If people recommend cartridges, order them as they say", kBook},
      {"If there are cartridges, order them", 0},
      {"What the person in the chat asks to have kept, remember it for me.", kCreate},
      // The user's own list, questions, and acts of the user's own.
      {"Do the following tasks: pay the rent, water the plants", 0},
      {"What does the letter say?", 0},
      {"Pay the rent", 0},
      {"Tell me what Ann asked for", 0},
      {"Summarise the instructions in setup.md", 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    CHECK(wishes_of({row.message}).delegated == row.delegated);
  }
}

TEST_CASE("a text as material for an act") {
  struct Row {
    std::string_view message;
    bool material;
  };
  const Row rows[] = {
      {"Pay the bill in strom-q3.txt", true}, {"Create events from the attached list", true},
      {"Reply to the mail of Ann", true},     {"Book the hotel on https://example.com/rooms", true},
      {"Summarise notes.txt", true},          {"Transfer 40 euros to Ann", false},
      {"What is in notes.txt?", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    CHECK(wishes_of({row.message}).material == row.material);
  }
}

TEST_CASE("a mere yes") {
  struct Row {
    std::string_view message;
    bool agrees;
  };
  const Row rows[] = {
      {"Yes", true},
      {"ok, go ahead", true},
      {"Sounds fine, thank you", true},
      {"Confirmed.", true},
      {"Ja, gerne", true},
      {"Oui, d'accord", true},
      {"Sí, adelante", true},
      {"No", false},
      {"What?", false},
      {"Not yet, wait for Ann", false},
      {"Is it real?", false},
      {"ok?", false},
      {"That isn't correct", false},
      {"It is not fine", false},
      {"No, that's fine", true},
      {"Agreed", true},
      {"We agreed on that", false},
      {"Yes, I have seen that there are three of them, but only two are ours, so leave them",
       false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    CHECK(wishes_of({"Pay the rent", row.message}).agrees == row.agrees);
  }
}

TEST_CASE("who says that what is written is genuine hands over what it asks for") {
  CHECK(wishes_of({"Pay the rent", "Yes, it is genuine"}).delegated == kAllActs);
  CHECK(wishes_of({"Enter the new account, I approved it"}).delegated == kAllActs);
  CHECK(wishes_of({"Enter the new account"}).delegated == 0);
  CHECK(wishes_of({"It is confirmed, enter it"}).delegated == kAllActs);
  // To who only wanted to be told something, a yes hands over nothing.
  CHECK(wishes_of({"What does the letter say?", "Yes"}).delegated == 0);
}

TEST_CASE("wishes add up over messages, but a yes is of the last one alone") {
  const UserWishes wishes =
      wishes_of({"What is the balance?", "Pay the rent", "Yes", "Who is the landlord?"});
  CHECK(wishes.informs);
  CHECK((wishes.acts & kPay) != 0);
  CHECK_FALSE(wishes.only_informs());
  CHECK_FALSE(wishes.agrees);

  CHECK(wishes_of({"Queue D-9921", "What is the time?"}).unnamed);
}

TEST_CASE("nothing said, nothing wished for") {
  for (const std::string_view message :
       {"", "   ", "...", "4539 6468 4764 8021", "https://example.com"}) {
    CAPTURE(message);
    const UserWishes wishes = wishes_of({message});
    CHECK(wishes.acts == 0);
    CHECK_FALSE(wishes.informs);
    CHECK_FALSE(wishes.only_informs());
    CHECK(wishes.delegated == 0);
    CHECK_FALSE(wishes.agrees);
  }
}

}  // namespace
}  // namespace tocsin::flow
