// Shape inference: right shapes, and errors that name the layer and both shapes.
#include "network/graph.h"

#include <doctest/doctest.h>

#include "base/errors.h"
#include "network/network.h"
#include "networks.h"

using namespace ravine;
using test::component;
using test::dense;

namespace {

template <typename Make>
Error error_of(Make&& make) {
  try {
    make();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::internal, "accepted");
}

Network made(const NetworkSpec& spec, const std::string& loss, NetworkOptions options = {}) {
  return Network(spec, test::loss(loss), options);
}

}  // namespace

TEST_CASE("shapes and parameters of a network") {
  const Graph graph =
      infer(test::network({4, 5}, {component("flatten"), dense(7, "relu"), component("dropout"), dense(3)}));
  CHECK(graph.output() == Shape{3});
  CHECK(graph.layers[0].output == Shape{20});
  CHECK(graph.layers[2].output == Shape{7});
  CHECK(graph.parameter_elements == 20 * 7 + 7 + 7 * 3 + 3);
  REQUIRE(graph.parameters.size() == 4);
  CHECK(graph.parameters[0].name == "dense_1.weight");
  CHECK(graph.parameters[0].spec.shape == Shape{7, 20});
  CHECK(graph.parameters[0].spec.decays);
  CHECK_FALSE(graph.parameters[1].spec.decays);
  CHECK(graph.parameters[3].name == "dense_2.bias");
  std::int64_t offset = 0;  // one behind the other, without gaps
  for (const GraphParameter& parameter : graph.parameters) {
    CHECK(parameter.offset == offset);
    offset += parameter.spec.shape.elements();
  }
}

TEST_CASE("what layers keep lies one behind the other") {
  const Graph graph = infer(
      test::network({4, 3}, {test::component("batch_normalization"), component("flatten"), dense(5),
                             test::component("batch_normalization", {{"scale", false}, {"centre", false}})}));
  REQUIRE(graph.state.size() == 4);
  CHECK(graph.state[1].name == "batch_normalization_1.moving_variance");
  CHECK(graph.state[1].spec.shape == Shape{3});
  CHECK(graph.state[1].spec.initial == 1);
  CHECK(graph.state[3].offset == 3 + 3 + 5);
  CHECK(graph.state_elements == 3 + 3 + 5 + 5);
  CHECK(graph.parameters.size() == 2 + 2);  // of the first normalization and of the dense layer
}

TEST_CASE("shapes that do not fit name the layer") {
  const Error images = error_of([] { infer(test::network({28, 28}, {dense(3)})); });
  CHECK(images.code() == ErrorCode::shape_mismatch);
  CHECK(images.layer() == "dense_1");
  CHECK(std::string(images.what()).find("28 x 28") != std::string::npos);
  CHECK(std::string(images.what()).find("3 units") != std::string::npos);

  const Error empty = error_of([] { infer(test::network({4, 0}, {component("flatten")})); });
  CHECK(empty.code() == ErrorCode::shape_mismatch);
  CHECK(empty.key() == "input_shape");

  const Error none = error_of([] { infer(test::network({4}, {})); });
  CHECK(none.key() == "layers");

  NetworkSpec twice = test::network({4}, {dense(3)});
  catalog::add_layer(twice, dense(3), "dense_1");
  CHECK(error_of([&] { infer(twice); }).layer() == "dense_1");
}

TEST_CASE("outputs that the loss cannot use name the last layer") {
  for (const NetworkSpec& spec :
       {test::network({4}, {dense(1)}), test::network({4, 4}, {component("tanh")})}) {
    const Error error = error_of([&] { made(spec, "softmax_cross_entropy"); });
    CHECK(error.code() == ErrorCode::shape_mismatch);
    CHECK(error.layer() == spec.layers.back().name);
  }
  CHECK(error_of([] { made(test::network({4}, {dense(1)}), "squared_error"); }).code() ==
        ErrorCode::internal);
}

TEST_CASE("calls in the wrong order are refused") {
  Network network = made(test::network({2}, {dense(2)}), "squared_error");
  const float x[4] = {1, 2, 3, 4};
  float y[4] = {};
  CHECK(error_of([&] { network.loss(x, nullptr, 2); }).code() == ErrorCode::invalid_state);
  CHECK(error_of([&] { network.backward(nullptr); }).code() == ErrorCode::invalid_state);
  network.forward(x, 2, false, y);
  CHECK(error_of([&] { network.backward(x); }).code() == ErrorCode::invalid_state);
  network.forward(x, 2, true, y);
  CHECK(error_of([&] { network.backward(nullptr); }).code() == ErrorCode::invalid_state);
  CHECK(error_of([&] { network.loss(x, nullptr, 1); }).code() == ErrorCode::shape_mismatch);
  network.loss(x, nullptr, 2);
  network.backward(nullptr);
}

TEST_CASE("a device that is not there, and sizes that make no sense") {
  const NetworkSpec spec = test::network({2}, {dense(2)});
  if (!report_cuda().front().available) {
    const Error error = error_of([&] { made(spec, "squared_error", {.device = {DeviceKind::cuda, 0}}); });
    CHECK(error.code() == ErrorCode::device_unavailable);
  }
  CHECK(error_of([&] { made(spec, "squared_error", {.batch = 0}); }).key() == "batch_size");
}
