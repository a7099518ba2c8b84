// The part of cuDNN's C interface (its graphs) that is used, found at run time: building needs neither its
// headers nor the libraries, which are a gigabyte. Names and numbers are those of cudnn_graph.h of cuDNN 9;
// device/check_cudnn.cpp compares them where that header is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ravine::cuda::cudnn {

using Handle = struct cudnnContext*;
using Descriptor = void*;
using Status = int;

enum DescriptorKind : int {
  pointwise = 0,
  convolution = 1,
  engine = 2,
  engine_configuration = 3,
  engine_heuristics = 4,
  execution_plan = 5,
  operation_forward = 10,
  operation_weight_gradient = 11,
  operation_input_gradient = 12,
  operation_pointwise = 13,
  operation_graph = 15,
  variant_pack = 16,
  tensor = 17,
  device_properties = 38,
};

enum Attribute : int {
  pointwise_mode = 0,
  pointwise_precision = 1,
  convolution_precision = 100,
  convolution_mode = 101,
  convolution_dilations = 102,
  convolution_strides = 103,
  convolution_post_paddings = 104,
  convolution_pre_paddings = 105,
  convolution_dimensions = 106,
  heuristics_mode = 200,
  heuristics_graph = 201,
  heuristics_results = 202,
  heuristics_device = 204,
  configuration_engine = 300,
  plan_handle = 400,
  plan_configuration = 401,
  plan_workspace = 402,
  plan_device = 407,
  forward_alpha = 700,
  forward_beta = 701,
  forward_convolution = 702,
  forward_weight = 703,
  forward_input = 704,
  forward_output = 705,
  input_gradient_alpha = 706,
  input_gradient_beta = 707,
  input_gradient_convolution = 708,
  input_gradient_weight = 709,
  input_gradient_input = 710,
  input_gradient_output = 711,
  weight_gradient_alpha = 712,
  weight_gradient_beta = 713,
  weight_gradient_convolution = 714,
  weight_gradient_weight = 715,
  weight_gradient_input = 716,
  weight_gradient_output = 717,
  operation_pointwise_rule = 750,
  operation_pointwise_input = 751,
  operation_pointwise_other = 752,
  operation_pointwise_output = 753,
  graph_handle = 800,
  graph_operations = 801,
  tensor_alignment = 900,
  tensor_type = 901,
  tensor_extents = 902,
  tensor_strides = 903,
  tensor_id = 906,
  tensor_is_virtual = 907,
  pack_ids = 1000,
  pack_pointers = 1001,
  pack_workspace = 1003,
  engine_index = 1301,
  engine_numerical_notes = 1303,
  device_json = 2702,
};

enum Type : int {
  type_handle = 0,
  type_data_type = 1,
  type_boolean = 2,
  type_int64 = 3,
  type_float = 4,
  type_pointer = 6,
  type_convolution_mode = 7,
  type_heuristics_mode = 8,
  type_numerical_note = 11,
  type_pointwise_mode = 14,
  type_descriptor = 15,
  type_character = 24,
};

enum DataType : int { float32 = 0, bfloat16 = 9 };
enum ConvolutionMode : int { cross_correlation = 1 };
enum PointwiseMode : int { add = 0, relu = 100 };
enum HeuristicsMode : int { fallback = 2, mode_a = 3 };
enum NumericalNote : int {
  tensor_core = 0,
  down_converts_inputs = 1,
  reduces_precision = 2,
  fourier = 3,
  nondeterministic = 4,
  winograd = 5,
  notes = 10,
};

struct Functions {
  std::size_t (*version)();
  void (*last_error)(char*, std::size_t);
  Status (*create)(Handle*);
  Status (*set_stream)(Handle, void* stream);
  Status (*create_descriptor)(DescriptorKind, Descriptor*);
  Status (*destroy_descriptor)(Descriptor);
  Status (*finalize)(Descriptor);
  Status (*set)(Descriptor, Attribute, Type, std::int64_t count, const void* values);
  Status (*get)(Descriptor, Attribute, Type, std::int64_t wanted, std::int64_t* count, void* values);
  Status (*execute)(Handle, Descriptor plan, Descriptor pack);
};

// The library's functions, or why they are missing.
struct Library {
  Functions functions = {};
  std::string missing;
};
const Library& library();
std::string library_name();  // "cuDNN 9.19.0"

}  // namespace ravine::cuda::cudnn
