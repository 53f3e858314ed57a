// librdkafka, owned: handles that close themselves and a catalogue of its properties.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace tocsin::kafka {

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

struct HandleDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
using Handle = std::unique_ptr<rd_kafka_t, HandleDeleter>;

struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, PartitionListDeleter>;

struct GroupMetadataDeleter {
  void operator()(rd_kafka_consumer_group_metadata_t* metadata) const {
    rd_kafka_consumer_group_metadata_destroy(metadata);
  }
};
using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t, GroupMetadataDeleter>;

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

using Properties = std::map<std::string, std::string>;

// How keys choose their partition: as Java's clients do, so that all agree, and as `partition_of`
// says.
inline constexpr const char* kPartitioner = "murmur2_random";
std::int32_t partition_of(std::string_view key, std::int32_t partitions);

enum class Scope { kBoth, kConsumer, kProducer };

// Every property this librdkafka knows and whom it concerns, read from librdkafka itself.
const std::map<std::string, Scope, std::less<>>& property_catalogue();

// Why tocsin sets this property itself and does not let it be changed; empty: it may be set.
std::string_view reserved_because(std::string_view property, std::string_view value);

// A property of ours among librdkafka's: the file that holds the token of SASL/OAUTHBEARER.
inline constexpr const char* kTokenFile = "sasl.oauthbearer.token_file";

// A configuration from those of `properties` that concern `side`.  The error names property, value
// and reason.
std::expected<Conf, std::string> make_conf(const Properties& properties, Scope side);
std::expected<void, std::string> set(rd_kafka_conf_t* conf, const std::string& name,
                                     const std::string& value);

// A client with that configuration.  Its token, where it needs one, is read from the file again
// whenever it is about to expire, on a thread of librdkafka's, whether or not anybody polls.
std::expected<Handle, std::string> make_handle(rd_kafka_type_t type, Conf conf);

// librdkafka's log lines into ours, sampled; call before creating a handle.
void route_logs(rd_kafka_conf_t* conf);

// Of a consumer that joins no group.
Properties without_group(Properties properties, std::string_view name);

// "host-pid-suffix": tells this process's clients apart in the broker's logs.
std::string client_id(std::string_view suffix);

}  // namespace tocsin::kafka
