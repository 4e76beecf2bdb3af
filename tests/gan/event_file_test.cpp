// TensorBoard's event files, read by protobuf's own parser.
#include "gan/event_file.h"

#include <google/protobuf/unknown_field_set.h>

#include <cstring>
#include <deque>

#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using google::protobuf::UnknownFieldSet;

namespace {

// CRC-32C bit by bit, with its own polynomial written the other way round.
uint32_t masked_checksum(const std::string& bytes) {
  uint32_t sum = ~0U;
  for (const char byte : bytes) {
    sum ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; bit++) sum = (sum & 1) != 0 ? sum >> 1 ^ 0x82F63B78U : sum >> 1;
  }
  sum = ~sum;
  return (sum >> 15 | sum << 17) + 0xa282ead8U;
}

template <class T>
T number_at(const std::string& bytes, size_t at) {
  T number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

struct Message : UnknownFieldSet {
  explicit Message(const std::string& bytes) { REQUIRE(ParseFromString(bytes)); }
  const google::protobuf::UnknownField* find(int number) const {
    for (int i = 0; i < field_count(); i++)
      if (field(i).number() == number) return &field(i);
    return nullptr;
  }
  int64_t integer(int number) const { return static_cast<int64_t>(find(number)->varint()); }
  float number(int number) const {
    const uint32_t bits = find(number)->fixed32();
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  std::string bytes(int number) const { return find(number)->length_delimited(); }
};

std::deque<Message> events_of(const std::string& file) {
  std::deque<Message> events;
  for (size_t at = 0; at < file.size();) {
    const auto length = number_at<uint64_t>(file, at);
    REQUIRE(at + length + 16 <= file.size());
    const std::string event = file.substr(at + 12, length);
    CHECK(number_at<uint32_t>(file, at + 8) == masked_checksum(file.substr(at, 8)));
    CHECK(number_at<uint32_t>(file, at + 12 + length) == masked_checksum(event));
    events.emplace_back(event);
    at += length + 16;
  }
  return events;
}

}  // namespace

TEST_CASE("event file: scalars and pictures as TensorBoard reads them") {
  CHECK(masked_checksum("123456789") == ((0xE3069283U >> 15 | 0xE3069283U << 17) + 0xa282ead8U));
  const test::Scratch scratch;
  const std::string path = scratch.file("events");
  {
    EventFile file(path, 40);
    file.append(41, {{"loss_d", 0.5}, {"loss_g", -2}});
    file.append(50, "samples", Image{1, 2, 3, {1, 2, 3, 4, 5, 6}});
  }
  std::deque<Message> events = events_of(test::contents(path));
  REQUIRE(events.size() == 4);
  for (const Message& event : events) CHECK(event.find(1) != nullptr);  // the time
  CHECK(events[0].bytes(3) == "brain.Event:2");
  CHECK(events[1].integer(2) == 41);  // what was said of this step and later ones is void
  CHECK(Message(events[1].bytes(7)).integer(1) == 1);

  CHECK(events[2].integer(2) == 41);
  const Message scalars(events[2].bytes(5));
  REQUIRE(scalars.field_count() == 2);
  const Message first(scalars.field(0).length_delimited()), second(scalars.field(1).length_delimited());
  CHECK(first.bytes(1) == "loss_d");
  CHECK(first.number(2) == 0.5f);
  CHECK(second.bytes(1) == "loss_g");
  CHECK(second.number(2) == -2);

  const Message picture(Message(events[3].bytes(5)).bytes(1)), pixels(picture.bytes(4));
  CHECK(picture.bytes(1) == "samples");
  CHECK(pixels.integer(1) == 1);
  CHECK(pixels.integer(2) == 2);
  CHECK(pixels.integer(3) == 3);
  CHECK(pixels.bytes(4) == encode_png(Image{1, 2, 3, {1, 2, 3, 4, 5, 6}}));

  EventFile(path, 60);  // goes on with the file
  events = events_of(test::contents(path));
  REQUIRE(events.size() == 6);
  CHECK(events[5].integer(2) == 61);
  CHECK_THROWS_AS(EventFile("/nonexistent/events", 0), DataError);
}
