// A small Kafka client for the tests and for trying things by hand: librdkafka's C API, no more.
//
// It is a second opinion on the daemon's own Kafka code, so it shares none of it.  Works with
// librdkafka 2.0.2 and newer.  Exit status: 0 done, 1 it failed or the answer is no, 2 wrong usage.

#include <librdkafka/rdkafka.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kUsage = R"(usage: kafka_tool COMMAND BOOTSTRAP ... [-X NAME=VALUE]...

  create-topic    BOOTSTRAP TOPIC PARTITIONS [NAME=VALUE]...
                  topic settings as Kafka names them (cleanup.policy=compact)
  produce         BOOTSTRAP TOPIC [--key-field FIELD] [--partitioner NAME] [--rate N]
                  [--header NAME=VALUE]... [--whole] [--timeout S]
                  one record a line of stdin (--whole: all of stdin is one record), acks=all;
                  key: the top-level JSON field FIELD, none when there is no such string;
                  partitioner: murmur2_random; prints how many were delivered, fails unless all were
  consume         BOOTSTRAP TOPIC [--count N] [--timeout S] [--meta]
                  every partition from its beginning to its end as it is now, one value a line;
                  --count: until there were N records, waiting for those to come;
                  --meta: one JSON object a record: key, partition, offset, headers, value
  drain           BOOTSTRAP TOPIC [--count N] [--timeout S]
                  reads like consume, as fast as it goes, and prints one JSON object instead of the
                  records: records, bytes, seconds from the first record to the last
  alter-topic     BOOTSTRAP TOPIC [NAME=VALUE]...
                  exactly these settings from now on; those not named go back to the broker's
  committed       BOOTSTRAP GROUP TOPIC
                  JSON lines: partition, offset (null: none), metadata, low and high watermark
  wait-caught-up  BOOTSTRAP GROUP TOPIC [--timeout S]
                  until the group has committed all there is

  -X NAME=VALUE   any librdkafka setting.  Time limits are 60 s unless told otherwise.
)";

constexpr milliseconds kRequestTimeout{5'000};
constexpr milliseconds kPollInterval{100};
constexpr double kDefaultTimeoutSeconds = 60;

[[noreturn]] void fail(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "kafka_tool: %s\n", message.c_str());
  std::exit(1);
}

[[noreturn]] void usage(const std::string& message) {
  std::fprintf(stderr, "kafka_tool: %s\n%s", message.c_str(), std::string(kUsage).c_str());
  std::exit(2);
}

template <auto Release>
struct Deleter {
  template <typename Handle>
  void operator()(Handle* handle) const {
    Release(handle);
  }
};

using Client = std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;
using Offsets = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                Deleter<rd_kafka_topic_partition_list_destroy>>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

template <typename Number>
Number number_of(std::string_view text, std::string_view what) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) {
    usage(std::string(what) + ": not a number: " + std::string(text));
  }
  return number;
}

std::pair<std::string, std::string> pair_of(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    usage("not NAME=VALUE: " + std::string(text));
  }
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

// The command line, sorted: options may stand anywhere after the command.
struct Arguments {
  std::vector<std::string_view> positional;
  Pairs settings;
  Pairs headers;
  std::string key_field;
  std::string partitioner = "murmur2_random";
  double rate = 0;  // records a second; 0: as fast as it goes
  double timeout_s = kDefaultTimeoutSeconds;
  std::int64_t count = -1;  // -1: to the end
  bool meta = false;
  bool whole = false;
};

Arguments parse(std::span<char*> words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto value = [&]() -> std::string_view {
      if (i + 1 >= words.size()) usage(std::string(word) + " needs a value");
      return words[++i];
    };
    if (word == "-X") {
      arguments.settings.push_back(pair_of(value()));
    } else if (word == "--header") {
      arguments.headers.push_back(pair_of(value()));
    } else if (word == "--key-field") {
      arguments.key_field = value();
    } else if (word == "--partitioner") {
      arguments.partitioner = value();
    } else if (word == "--rate") {
      arguments.rate = number_of<double>(value(), word);
    } else if (word == "--timeout") {
      arguments.timeout_s = number_of<double>(value(), word);
    } else if (word == "--count") {
      arguments.count = number_of<std::int64_t>(value(), word);
    } else if (word == "--meta") {
      arguments.meta = true;
    } else if (word == "--whole") {
      arguments.whole = true;
    } else if (word.starts_with("-")) {
      usage("unknown option " + std::string(word));
    } else {
      arguments.positional.push_back(word);
    }
  }
  return arguments;
}

class Deadline {
 public:
  explicit Deadline(double seconds)
      : end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  bool passed() const { return Clock::now() >= end_; }

  // What is left, at most `limit`; never negative.
  int left_ms(milliseconds limit = kRequestTimeout) const {
    const auto left = std::chrono::duration_cast<milliseconds>(end_ - Clock::now());
    return static_cast<int>(std::clamp(left, milliseconds{0}, limit).count());
  }

 private:
  Clock::time_point end_;
};

// What became of the records that were produced.
struct Delivered {
  std::int64_t good = 0;
  std::int64_t bad = 0;
  std::string first_error;

  void refused(rd_kafka_resp_err_t error) {
    if (bad++ == 0) first_error = rd_kafka_err2str(error);
  }
};

void on_delivery(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* opaque) {
  auto& delivered = *static_cast<Delivered*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++delivered.good;
  } else {
    delivered.refused(message->err);
  }
}

// `delivered` (producers only) must outlive the client.
Client connect(rd_kafka_type_t type, const Arguments& arguments, const Pairs& own,
               Delivered* delivered = nullptr) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  const auto set = [&](const std::string& name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason) !=
        RD_KAFKA_CONF_OK) {
      usage(reason);
    }
  };
  set("bootstrap.servers", std::string(arguments.positional[0]));
  set("client.id", "kafka_tool");
  set("log_level", "2");  // a broker that is away is what some tests are about
  for (const auto& [name, value] : own) set(name, value);
  for (const auto& [name, value] : arguments.settings) set(name, value);
  if (delivered != nullptr) {
    rd_kafka_conf_set_opaque(conf, delivered);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  }
  Client client(rd_kafka_new(type, conf, reason, sizeof reason));
  if (!client) fail(reason);
  return client;
}

// The topic's partitions as an assignable list; empty when there is no such topic (yet).
Offsets partitions_of(rd_kafka_t* client, const std::string& topic, int timeout_ms) {
  Offsets offsets(rd_kafka_topic_partition_list_new(8));
  const std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>> handle(
      rd_kafka_topic_new(client, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  if (!handle || rd_kafka_metadata(client, 0, handle.get(), &raw, timeout_ms) != 0) return offsets;
  const std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>> metadata(
      raw);
  for (const auto& found :
       std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    for (int partition = 0; partition < found.partition_cnt; ++partition) {
      rd_kafka_topic_partition_list_add(offsets.get(), topic.c_str(), partition);
    }
  }
  return offsets;
}

Offsets partitions_or_fail(rd_kafka_t* client, const std::string& topic, const Deadline& deadline) {
  while (true) {
    Offsets offsets = partitions_of(client, topic, deadline.left_ms());
    if (offsets->cnt > 0) return offsets;
    if (deadline.passed()) fail("no such topic, or no broker answers: " + topic);
    std::this_thread::sleep_for(kPollInterval);
  }
}

struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

rd_kafka_resp_err_t query(rd_kafka_t* client, const rd_kafka_topic_partition_t& at, int timeout_ms,
                          Watermarks& marks) {
  return rd_kafka_query_watermark_offsets(client, at.topic, at.partition, &marks.low, &marks.high,
                                          timeout_ms);
}

// -------------------------------------------------------------------------------------------------
// JSON out

void append_quoted(std::string& out, std::string_view text) {
  // Bytes that are not UTF-8 are shown as U+0080..U+00FF, so that a line stays JSON whatever the
  // record holds.
  const bool utf8 = simdjson::validate_utf8(text.data(), text.size());
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string_view bytes_of(const void* data, std::size_t size) {
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

void append_bytes_or_null(std::string& out, const void* data, std::size_t size) {
  if (data == nullptr) {
    out += "null";
  } else {
    append_quoted(out, bytes_of(data, size));
  }
}

void append_record(std::string& out, const rd_kafka_message_t& message) {
  out += R"({"key":)";
  append_bytes_or_null(out, message.key, message.key_len);
  out += R"(,"partition":)" + std::to_string(message.partition);
  out += R"(,"offset":)" + std::to_string(message.offset);
  out += R"(,"timestamp_ms":)" + std::to_string(rd_kafka_message_timestamp(&message, nullptr));
  out += R"(,"headers":{)";
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      if (i > 0) out += ',';
      append_quoted(out, name);
      out += ':';
      append_bytes_or_null(out, value, size);
    }
  }
  out += R"(},"value":)";
  append_bytes_or_null(out, message.payload, message.len);
  out += '}';
}

// -------------------------------------------------------------------------------------------------
// create-topic

int create_topic(const Arguments& arguments) {
  const std::string topic(arguments.positional[1]);
  const auto partitions = number_of<int>(arguments.positional[2], "PARTITIONS");
  const Client client = connect(RD_KAFKA_PRODUCER, arguments, {});

  char reason[512];
  const std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>> wanted(
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, reason, sizeof reason));
  if (!wanted) usage(reason);
  for (const std::string_view word : std::span(arguments.positional).subspan(3)) {
    const auto [name, value] = pair_of(word);
    rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  }

  const std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>> options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  const int timeout_ms = static_cast<int>(arguments.timeout_s * 1000);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, reason, sizeof reason);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, reason, sizeof reason);

  const std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>> queue(
      rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t* one = wanted.get();
  rd_kafka_CreateTopics(client.get(), &one, 1, options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>> event(
      rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
  if (!event) fail("no answer to create-topic");
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(rd_kafka_event_error_string(event.get()));
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (const auto* result : std::span(results, count)) {
    if (rd_kafka_topic_result_error(result) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      fail(topic + ": " + rd_kafka_topic_result_error_string(result));
    }
  }
  return 0;
}

// -------------------------------------------------------------------------------------------------
// alter-topic

int alter_topic(const Arguments& arguments) {
  const std::string topic(arguments.positional[1]);
  const Client client = connect(RD_KAFKA_PRODUCER, arguments, {});
  const std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>> wanted(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  for (const std::string_view word : std::span(arguments.positional).subspan(2)) {
    const auto [name, value] = pair_of(word);
    rd_kafka_ConfigResource_set_config(wanted.get(), name.c_str(), value.c_str());
  }

  char reason[512];
  const std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>> options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_ALTERCONFIGS));
  const int timeout_ms = static_cast<int>(arguments.timeout_s * 1000);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, reason, sizeof reason);
  const std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>> queue(
      rd_kafka_queue_new(client.get()));
  rd_kafka_ConfigResource_t* one = wanted.get();
  rd_kafka_AlterConfigs(client.get(), &one, 1, options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>> event(
      rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
  if (!event) fail("no answer to alter-topic");
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(rd_kafka_event_error_string(event.get()));
  }
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** resources = rd_kafka_AlterConfigs_result_resources(
      rd_kafka_event_AlterConfigs_result(event.get()), &count);
  for (const auto* resource : std::span(resources, count)) {
    if (rd_kafka_ConfigResource_error(resource) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* said = rd_kafka_ConfigResource_error_string(resource);
      fail(topic + ": " + (said == nullptr ? "refused" : said));
    }
  }
  return 0;
}

// -------------------------------------------------------------------------------------------------
// produce

// The text of a top-level field: a string unescaped, anything else as it was written.  Empty when
// there is none.
class KeyFinder {
 public:
  explicit KeyFinder(std::string field) : field_(std::move(field)) {}

  std::string find(std::string_view json) {
    if (field_.empty()) return {};
    const simdjson::padded_string padded(json);
    simdjson::ondemand::document document;
    simdjson::ondemand::value value;
    if (parser_.iterate(padded).get(document) != simdjson::SUCCESS) return {};
    if (document.find_field_unordered(field_).get(value) != simdjson::SUCCESS) return {};
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
    return {};
  }

 private:
  std::string field_;
  simdjson::ondemand::parser parser_;
};

// One record into librdkafka's queue, waiting for room.  What is refused at once is counted.
void enqueue(rd_kafka_t* client, const std::string& topic, std::string_view key,
             std::string_view value, const Pairs& header_pairs, Delivered& delivered) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(header_pairs.size());
  for (const auto& [name, text] : header_pairs) {
    rd_kafka_header_add(headers, name.c_str(), -1, text.data(), static_cast<ssize_t>(text.size()));
  }
  while (true) {
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        // librdkafka copies; its C signature just cannot say const.
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;  // the record owns the headers now
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_headers_destroy(headers);
      delivered.refused(error);
      return;
    }
    rd_kafka_poll(client, static_cast<int>(kPollInterval.count()));
  }
}

int produce(const Arguments& arguments) {
  const std::string topic(arguments.positional[1]);
  Delivered delivered;
  const Client client = connect(RD_KAFKA_PRODUCER, arguments,
                                {{"acks", "all"},
                                 {"enable.idempotence", "true"},
                                 {"linger.ms", "5"},
                                 {"partitioner", arguments.partitioner}},
                                &delivered);
  KeyFinder keys(arguments.key_field);
  const auto began = Clock::now();
  std::int64_t sent = 0;
  const auto send = [&](const std::string& value) {
    if (arguments.rate > 0) {
      const std::chrono::duration<double> due(static_cast<double>(sent) / arguments.rate);
      std::this_thread::sleep_until(began + std::chrono::duration_cast<Clock::duration>(due));
    }
    const std::string key = keys.find(value);
    enqueue(client.get(), topic, key, value, arguments.headers, delivered);
    ++sent;
    rd_kafka_poll(client.get(), 0);
  };

  std::ios::sync_with_stdio(false);
  if (arguments.whole) {
    send(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  } else {
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty()) send(line);
    }
  }

  rd_kafka_flush(client.get(), static_cast<int>(arguments.timeout_s * 1000));
  std::printf("%lld\n", static_cast<long long>(delivered.good));
  if (delivered.good != sent) {
    // Records still in the queue would hold rd_kafka_destroy() up; the process ends without it.
    fail(std::to_string(sent - delivered.good) + " of " + std::to_string(sent) +
         " records not delivered" +
         (delivered.bad > 0 ? ", the first: " + delivered.first_error : ": no answer in time"));
  }
  return 0;
}

// -------------------------------------------------------------------------------------------------
// consume, drain

void print_record(const rd_kafka_message_t& message, bool meta, std::string& line) {
  line.clear();
  if (meta) {
    append_record(line, message);
  } else {
    line.append(bytes_of(message.payload, message.len));
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
}

// Gives each record to `take`; returns when there are no more of those asked for.
template <typename Take>
void read_topic(const Arguments& arguments, Take take) {
  const std::string topic(arguments.positional[1]);
  const Deadline deadline(arguments.timeout_s);
  const Client client = connect(RD_KAFKA_CONSUMER, arguments,
                                {{"group.id", "kafka_tool"},
                                 {"enable.auto.commit", "false"},
                                 {"enable.partition.eof", "true"},
                                 {"auto.offset.reset", "earliest"}});
  const Offsets offsets = partitions_or_fail(client.get(), topic, deadline);
  const std::span partitions(offsets->elems, static_cast<std::size_t>(offsets->cnt));

  // Where each partition ends, for a reading without --count; 0 once it is read.  The
  // end-of-partition event is needed besides the offset: compaction and transaction markers leave
  // the last offsets without a record.
  std::vector<std::int64_t> end(partitions.size());
  std::size_t open = 0;
  for (auto& at : partitions) {
    Watermarks marks;
    const auto error = query(client.get(), at, deadline.left_ms(), marks);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
    at.offset = marks.low;
    if (marks.low == marks.high) continue;
    end[static_cast<std::size_t>(at.partition)] = marks.high;
    ++open;
  }
  const auto close_partition = [&](std::int32_t partition, std::int64_t position) {
    auto& until = end[static_cast<std::size_t>(partition)];
    if (until > 0 && position >= until) {
      until = 0;
      --open;
    }
  };
  if (const auto error = rd_kafka_assign(client.get(), offsets.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(rd_kafka_err2str(error));
  }

  std::int64_t seen = 0;
  const auto done = [&] { return arguments.count >= 0 ? seen >= arguments.count : open == 0; };
  while (!done()) {
    if (deadline.passed()) {
      fail("timed out after " + std::to_string(seen) + " records of " + topic);
    }
    const Message message(rd_kafka_consumer_poll(client.get(), deadline.left_ms(kPollInterval)));
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const std::int64_t until = end[static_cast<std::size_t>(message->partition)];
      if (arguments.count < 0 && message->offset >= until) continue;  // came after the start
      take(*message);
      ++seen;
      close_partition(message->partition, message->offset + 1);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      close_partition(message->partition, message->offset);
    }
  }
  rd_kafka_consumer_close(client.get());
}

int consume(const Arguments& arguments) {
  std::string line;
  read_topic(arguments, [&](const rd_kafka_message_t& message) {
    print_record(message, arguments.meta, line);
  });
  return 0;
}

int drain(const Arguments& arguments) {
  std::int64_t records = 0;
  std::uint64_t bytes = 0;
  Clock::time_point first;
  Clock::time_point last;
  read_topic(arguments, [&](const rd_kafka_message_t& message) {
    last = Clock::now();
    if (records++ == 0) first = last;
    bytes += message.len;
  });
  const std::chrono::duration<double> took = last - first;
  std::printf("{\"records\":%lld,\"bytes\":%llu,\"seconds\":%.6f}\n",
              static_cast<long long>(records), static_cast<unsigned long long>(bytes),
              took.count());
  return 0;
}

// -------------------------------------------------------------------------------------------------
// committed, wait-caught-up

struct Progress {
  std::int32_t partition = 0;
  std::int64_t committed = RD_KAFKA_OFFSET_INVALID;
  std::string metadata;
  Watermarks marks;

  // Nothing to commit is as good as having committed it.
  bool caught_up() const { return committed >= marks.high || marks.low == marks.high; }
};

void print(const Progress& progress, std::FILE* to) {
  std::string line = R"({"partition":)" + std::to_string(progress.partition) + R"(,"offset":)";
  line += progress.committed < 0 ? "null" : std::to_string(progress.committed);
  line += R"(,"metadata":)";
  append_quoted(line, progress.metadata);
  line += R"(,"low":)" + std::to_string(progress.marks.low);
  line += R"(,"high":)" + std::to_string(progress.marks.high) + "}\n";
  std::fputs(line.c_str(), to);
}

// The group's place in every partition; the first error ends it.
rd_kafka_resp_err_t progress_of(rd_kafka_t* client, rd_kafka_topic_partition_list_t* offsets,
                                const Deadline& deadline, std::vector<Progress>& progress) {
  auto error = rd_kafka_committed(client, offsets, deadline.left_ms());
  progress.clear();
  for (const auto& at : std::span(offsets->elems, static_cast<std::size_t>(offsets->cnt))) {
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = at.err;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
    Progress& one = progress.emplace_back();
    one.partition = at.partition;
    one.committed = at.offset;
    one.metadata = bytes_of(at.metadata, at.metadata_size);
    error = query(client, at, deadline.left_ms(), one.marks);
  }
  return error;
}

Client connect_to_group(const Arguments& arguments) {
  return connect(
      RD_KAFKA_CONSUMER, arguments,
      {{"group.id", std::string(arguments.positional[1])}, {"enable.auto.commit", "false"}});
}

int committed(const Arguments& arguments) {
  const Deadline deadline(arguments.timeout_s);
  const Client client = connect_to_group(arguments);
  const Offsets offsets =
      partitions_or_fail(client.get(), std::string(arguments.positional[2]), deadline);
  std::vector<Progress> progress;
  while (true) {
    const auto error = progress_of(client.get(), offsets.get(), deadline, progress);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (deadline.passed()) fail(rd_kafka_err2str(error));
    std::this_thread::sleep_for(kPollInterval);
  }
  for (const Progress& one : progress) print(one, stdout);
  return 0;
}

int wait_caught_up(const Arguments& arguments) {
  const auto began = Clock::now();
  const Deadline deadline(arguments.timeout_s);
  const Client client = connect_to_group(arguments);
  const Offsets offsets =
      partitions_or_fail(client.get(), std::string(arguments.positional[2]), deadline);
  std::vector<Progress> progress;
  while (true) {
    const auto error = progress_of(client.get(), offsets.get(), deadline, progress);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR &&
        std::ranges::all_of(progress, &Progress::caught_up)) {
      break;
    }
    if (deadline.passed()) {
      for (const Progress& one : progress) print(one, stderr);
      fail(error == RD_KAFKA_RESP_ERR_NO_ERROR ? "not caught up" : rd_kafka_err2str(error));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  const std::chrono::duration<double> took = Clock::now() - began;
  std::printf("caught up after %.1f s\n", took.count());
  return 0;
}

struct Command {
  std::string_view name;
  std::size_t positional_min;
  std::size_t positional_max;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"create-topic", 3, 1000, create_topic},
    {"produce", 2, 2, produce},
    {"consume", 2, 2, consume},
    {"drain", 2, 2, drain},
    {"alter-topic", 2, 1000, alter_topic},
    {"committed", 3, 3, committed},
    {"wait-caught-up", 3, 3, wait_caught_up},
};

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<std::size_t>(argc));
  const std::string_view name = argc > 1 ? words[1] : "";
  if (name == "help" || name == "--help" || name == "-h") {
    std::fputs(std::string(kUsage).c_str(), stdout);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    const Arguments arguments = parse(words.subspan(2));
    const std::size_t given = arguments.positional.size();
    if (given < command.positional_min || given > command.positional_max) {
      usage("wrong number of arguments to " + std::string(name));
    }
    return command.run(arguments);
  }
  usage(name.empty() ? "no command" : "unknown command " + std::string(name));
}
