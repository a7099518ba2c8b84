// An update rule written in Python: a function over flat views of parameters, gradients and state, called by
// the native loop in the place of a rule of the list. Of a device they are copies, which each step brings to
// the host and back.
#include <cmath>
#include <exception>

#include "base/errors.h"
#include "bindings.h"
#include "catalog/catalog.h"
#include "optimizers/optimizer.h"

namespace ravine::bindings {
namespace {

template <typename T>
class PythonUpdate final : public PreparedUpdate {
 public:
  PythonUpdate(py::function function, std::vector<std::string> slots, Backend& backend,
               const UpdateBuffers& buffers, std::vector<UpdateSegment> segments)
      : function_(std::move(function)),
        slot_names_(std::move(slots)),
        owners_(buffers.owners),
        segments_(std::move(segments)),
        before_(segments_.empty() ? 0 : static_cast<std::size_t>(segments_.back().end)),
        parameters_(backend, buffers.parameters, before_.size() * sizeof(T)),
        gradients_(backend, buffers.gradients, before_.size() * sizeof(T)),
        weight_squares_(segments_.size()),
        update_squares_(segments_.size()),
        penalties_(segments_.size()) {
    for (void* slot : buffers.slots) slots_.emplace_back(backend, slot, before_.size() * sizeof(T));
    for (const HostCopy* copy : copies()) {
      if (copy->owner() != nullptr) owners_.push_back(copy->owner());
    }
  }

  ~PythonUpdate() override {
    const py::gil_scoped_acquire acquire;
    function_ = py::function();
    error_ = nullptr;
  }

  void begin(const Values& settings, std::int64_t step, const Regularization& regularization) override {
    settings_ = settings;
    step_ = step;
    max_norm_ = regularization.max_norm;
    l2_of_norm_ = regularization.l2_of_norm;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      penalties_[i] = Penalty<T>(regularization, segments_[i].decays, settings.real("learning_rate"));
    }
  }

  void scale(const std::vector<double>& scales) noexcept override {
    for (std::size_t i = 0; i < segments_.size(); ++i) penalties_[i].scale = static_cast<T>(scales[i]);
  }

  void look_ahead(Worker&) noexcept override {}

  void run(Worker& worker) noexcept override {
    if (worker.index == 0) {
      for (HostCopy* copy : copies()) copy->fetch();
      update();
      for (HostCopy* copy : copies()) copy->store();
    }
    worker.barrier();
  }

  bool failed() const override { return error_ != nullptr; }
  void rethrow() override {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  const std::vector<double>& weight_squares() const override { return weight_squares_; }
  const std::vector<double>& update_squares() const override { return update_squares_; }

 private:
  std::vector<HostCopy*> copies() {
    std::vector<HostCopy*> all{&parameters_, &gradients_};
    for (HostCopy& slot : slots_) all.push_back(&slot);
    return all;
  }

  void update() noexcept {
    T* parameters = static_cast<T*>(parameters_.data());
    T* gradients = static_cast<T*>(gradients_.data());
    for (std::size_t index = 0; index < segments_.size(); ++index) {
      double squares = 0;
      for (std::int64_t i = segments_[index].begin; i < segments_[index].end; ++i) {
        const double weight = static_cast<double>(parameters[i]);
        squares += weight * weight;
        before_[static_cast<std::size_t>(i)] = parameters[i];
      }
      if (l2_of_norm_) penalties_[index].divide_l2(std::sqrt(squares));
      for (std::int64_t i = segments_[index].begin; i < segments_[index].end; ++i) {
        gradients[i] = penalties_[index].gradient(gradients[i], parameters[i]);
      }
    }
    call();
    for (std::size_t index = 0; index < segments_.size(); ++index) {
      double weights = 0;
      double updates = 0;
      if (!error_) bound(parameters, index);
      for (std::int64_t i = segments_[index].begin; i < segments_[index].end; ++i) {
        const double weight = static_cast<double>(parameters[i]);
        const double change = weight - static_cast<double>(before_[static_cast<std::size_t>(i)]);
        weights += weight * weight;
        updates += change * change;
      }
      weight_squares_[index] = weights;
      update_squares_[index] = updates;
    }
  }

  // The soft threshold, then the norms of units.
  void bound(T* parameters, std::size_t index) noexcept {
    const UpdateSegment& segment = segments_[index];
    for (std::int64_t i = segment.begin; i < segment.end; ++i) {
      parameters[i] = penalties_[index].shrink(parameters[i]);
    }
    if (max_norm_ <= 0 || segment.unit == 0) return;
    for (std::int64_t begin = segment.begin; begin < segment.end; begin += segment.unit) {
      double squares = 0;
      for (std::int64_t i = begin; i < begin + segment.unit; ++i) {
        squares += static_cast<double>(parameters[i]) * static_cast<double>(parameters[i]);
      }
      const T scale = static_cast<T>(norm_scale(squares, max_norm_));
      for (std::int64_t i = begin; i < begin + segment.unit; ++i) parameters[i] *= scale;
    }
  }

  void call() noexcept {
    const py::gil_scoped_acquire acquire;
    try {
      const Shape shape{static_cast<std::int64_t>(before_.size())};
      // The arrays keep the buffers alive, should the function keep the arrays.
      const py::capsule owner = owner_of(std::make_shared<std::vector<std::shared_ptr<void>>>(owners_));
      const auto flat = [&](void* data) { return view(data, dtype_of<T>(), shape, owner); };
      py::dict state;
      for (std::size_t i = 0; i < slot_names_.size(); ++i)
        state[py::str(slot_names_[i])] = flat(slots_[i].data());
      py::dict settings;
      for (const auto& [name, value] : settings_.all()) settings[py::str(name)] = to_python(value);
      function_(flat(parameters_.data()), flat(gradients_.data()), state, settings, step_);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  py::function function_;
  std::vector<std::string> slot_names_;
  std::vector<std::shared_ptr<void>> owners_;
  std::vector<UpdateSegment> segments_;
  std::vector<T> before_;
  HostCopy parameters_;
  HostCopy gradients_;
  std::vector<HostCopy> slots_;
  std::vector<double> weight_squares_;
  std::vector<double> update_squares_;
  Values settings_;
  std::int64_t step_ = 0;
  std::vector<Penalty<T>> penalties_;
  double max_norm_ = 0;
  bool l2_of_norm_ = false;
  std::exception_ptr error_;
};

std::shared_ptr<Optimizer> make_custom(py::function function, std::vector<std::string> slots,
                                       const std::map<std::string, double>& settings, double l2,
                                       const std::string& l2_form, double l1, const std::string& l1_form,
                                       double clip_value, double clip_layer_norm, double clip_norm,
                                       double max_norm) {
  for (const auto& [name, value] : settings) {
    if (!std::isfinite(value)) {
      throw Error(ErrorCode::invalid_parameter, "must be a finite number").at_key(name);
    }
  }
  if (slots.size() > 4) {
    throw Error(ErrorCode::invalid_parameter, "a rule has at most 4 state buffers").at_key("slots");
  }
  Component rule{"custom", {}};
  for (const auto& [name, value] : settings) rule.values.set(name, value);
  if (!rule.values.has("learning_rate")) {
    throw Error(ErrorCode::invalid_parameter, "a rule needs a learning rate").at_key("learning_rate");
  }
  PrepareUpdate prepare = [function = std::move(function), slots](
                              Backend& backend, DType dtype, const UpdateBuffers& buffers,
                              std::vector<UpdateSegment> segments) -> std::unique_ptr<PreparedUpdate> {
    const py::gil_scoped_acquire acquire;
    if (dtype == DType::float64) {
      return std::make_unique<PythonUpdate<double>>(function, slots, backend, buffers, std::move(segments));
    }
    return std::make_unique<PythonUpdate<float>>(function, slots, backend, buffers, std::move(segments));
  };
  return std::make_shared<Optimizer>(
      std::move(rule),
      to_regularization({l2, l1, clip_value, clip_layer_norm, clip_norm, max_norm}, l2_form, l1_form),
      UpdateRuleTraits{std::move(slots), false}, std::move(prepare));
}

}  // namespace

void bind_custom_rule(py::module_& module) {
  module.def("custom_rule", &make_custom, py::arg("function"), py::kw_only(), py::arg("slots"),
             py::arg("settings"), py::arg("l2") = 0.0, py::arg("l2_form") = "squared", py::arg("l1") = 0.0,
             py::arg("l1_form") = "subgradient", py::arg("clip_value") = 0.0,
             py::arg("clip_layer_norm") = 0.0, py::arg("clip_norm") = 0.0, py::arg("max_norm") = 0.0,
             "An optimizer whose rule is function(parameters, gradients, state, settings, step).");
}

}  // namespace ravine::bindings
