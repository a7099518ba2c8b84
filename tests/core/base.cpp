// Shapes, element types, devices, settings and errors.
#include <doctest/doctest.h>

#include <string>

#include "base/device.h"
#include "base/dtype.h"
#include "base/errors.h"
#include "base/shape.h"
#include "base/values.h"

using namespace ravine;

TEST_CASE("shape") {
  const Shape image{28, 30, 3};
  CHECK(image.rank() == 3);
  CHECK(image.elements() == 28 * 30 * 3);
  CHECK(image.back() == 3);
  CHECK(image[1] == 30);
  CHECK_THROWS(image[3]);
  CHECK(image.with_batch(7) == Shape{7, 28, 30, 3});
  CHECK(image.to_string() == "28 x 30 x 3");
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{}.to_string() == "scalar");
  CHECK(Shape{}.with_batch(5) == Shape{5});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK(Shape{6} != Shape{2, 3});
  CHECK(Shape{4, 0}.elements() == 0);
  CHECK(Shape{1LL << 20, 1LL << 20}.elements() == 1LL << 40);
}

TEST_CASE("element types") {
  for (DType dtype : {DType::float32, DType::float64, DType::int32, DType::uint8}) {
    CHECK(dtype_from_name(name_of(dtype)) == dtype);
  }
  CHECK(size_of(DType::float32) == sizeof(float));
  CHECK(size_of(DType::float64) == sizeof(double));
  CHECK(size_of(DType::int32) == 4);
  CHECK(size_of(DType::uint8) == 1);
  CHECK(dtype_of<float>() == DType::float32);
  CHECK(dtype_of<double>() == DType::float64);
  CHECK_THROWS_AS(dtype_from_name("float16x"), Error);
  CHECK_THROWS_AS(dtype_from_name(""), Error);
}

TEST_CASE("device names") {
  CHECK(device_from_name("cpu") == Device{DeviceKind::cpu, 0});
  CHECK(device_from_name("cuda") == Device{DeviceKind::cuda, 0});
  CHECK(device_from_name("cuda:3") == Device{DeviceKind::cuda, 3});
  for (const char* name : {"cpu", "cuda:2"}) CHECK(device_from_name(name).to_string() == name);
  for (const char* name :
       {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda: 1", "cpu:0x", "cuda:99999999999"}) {
    CAPTURE(name);
    try {
      device_from_name(name);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_parameter);
    }
  }
}

TEST_CASE("settings") {
  Values values;
  values.set("rate", 0.5);
  values.set("units", std::int64_t{7});
  values.set("half", true);
  values.set("mode", std::string("fan_in"));
  values.set("inner", std::make_shared<const Component>(Component{"normal", {}}));
  CHECK(values.has("rate"));
  CHECK_FALSE(values.has("rat"));
  CHECK(values.real("rate") == 0.5);
  CHECK(values.real("units") == 7.0);  // a whole number is a number
  CHECK(values.integer("units") == 7);
  CHECK(values.boolean("half"));
  CHECK(values.text("mode") == "fan_in");
  CHECK(values.component("inner").name == "normal");
  values.set("rate", 0.25);
  CHECK(values.real("rate") == 0.25);
  CHECK(values.all().size() == 5);

  // What the catalog would never let through is a fault of ours.
  const auto code_of = [](auto&& read) {
    try {
      read();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::invalid_state;
  };
  CHECK(code_of([&] { values.at("none"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.real("mode"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.real("half"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.integer("rate"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.boolean("units"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.text("rate"); }) == ErrorCode::internal);
  CHECK(code_of([&] { values.component("mode"); }) == ErrorCode::internal);
}

TEST_CASE("an error carries where it happened") {
  const Error error = Error(ErrorCode::shape_mismatch, "too wide").at_key("units").at_layer("dense_1");
  CHECK(error.code() == ErrorCode::shape_mismatch);
  CHECK(std::string(error.what()) == "too wide");
  CHECK(error.key() == "units");
  CHECK(error.layer() == "dense_1");
}
