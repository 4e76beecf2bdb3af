// The few messages and fields of tensorflow/core/util/event.proto and framework/summary.proto that scalars and pictures
// take, written by protobuf's own encoder.
#include "gan/event_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>

#include "core/error.h"

namespace forger::gan {
namespace {

using Wire = google::protobuf::internal::WireFormatLite;
using Output = google::protobuf::io::CodedOutputStream;

// Field numbers.
namespace event {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7;
}
namespace summary {
constexpr int value = 1;
}
namespace value {
constexpr int tag = 1, simple_value = 2, image = 4;
}
namespace image {
constexpr int height = 1, width = 2, colorspace = 3, encoded = 4;
}
namespace session {
constexpr int status = 1, start = 1;
}

std::string message(const std::function<void(Output&)>& fields) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  Output out(&stream);
  fields(out);
  out.Trim();
  return bytes;
}

std::string event_of(int64_t step, const std::function<void(Output&)>& what) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return message([&](Output& out) {
    Wire::WriteDouble(event::wall_time, now.count(), &out);
    Wire::WriteInt64(event::step, step, &out);
    what(out);
  });
}

// Little endian, as all that this runs on.
template <class T>
std::string bytes_of(T number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

std::string masked_checksum(const std::string& bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;  // Castagnoli's
  crc.process_bytes(bytes.data(), bytes.size());
  const uint32_t sum = crc.checksum();
  return bytes_of<uint32_t>((sum >> 15 | sum << 17) + 0xa282ead8U);
}

// A part of a message that is a message.
void nest(int field, Output& out, const std::function<void(Output&)>& fields) {
  Wire::WriteBytes(field, message(fields), &out);
}

}  // namespace

EventFile::EventFile(const std::string& path, int64_t step)
    : path_(path), out_(path, std::ios::app | std::ios::binary) {
  write(event_of(0, [](Output& out) { Wire::WriteString(event::file_version, "brain.Event:2", &out); }));
  write(event_of(step + 1, [](Output& out) {
    nest(event::session_log, out, [](Output& log) { Wire::WriteEnum(session::status, session::start, &log); });
  }));
}

void EventFile::append(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  const auto write_scalars = [&](Output& all) {
    for (const auto& scalar : scalars)
      nest(summary::value, all, [&](Output& out) {
        Wire::WriteString(value::tag, scalar.first, &out);
        Wire::WriteFloat(value::simple_value, static_cast<float>(scalar.second), &out);
      });
  };
  write(event_of(step, [&](Output& out) { nest(event::summary, out, write_scalars); }));
}

void EventFile::append(int64_t step, const std::string& name, const Image& picture) {
  const auto write_picture = [&](Output& all) {
    nest(summary::value, all, [&](Output& out) {
      Wire::WriteString(value::tag, name, &out);
      nest(value::image, out, [&](Output& pixels) {
        Wire::WriteInt32(image::height, static_cast<int>(picture.height), &pixels);
        Wire::WriteInt32(image::width, static_cast<int>(picture.width), &pixels);
        Wire::WriteInt32(image::colorspace, static_cast<int>(picture.channels), &pixels);
        Wire::WriteBytes(image::encoded, encode_png(picture), &pixels);
      });
    });
  };
  write(event_of(step, [&](Output& out) { nest(event::summary, out, write_picture); }));
}

void EventFile::write(const std::string& event) {
  const std::string length = bytes_of<uint64_t>(event.size());
  out_ << length << masked_checksum(length) << event << masked_checksum(event) << std::flush;
  check<DataError>(out_.good(), "cannot write ", path_, ": ", std::strerror(errno));
}

}  // namespace forger::gan
