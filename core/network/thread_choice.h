// How many workers share the steps where the user leaves it open: training tries numbers in turn, on steps
// that count like all others (the bits are the same for any number), and keeps the fastest. It looks again
// now and then, because other programs come and go.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravine {

struct Graph;
class Loss;
struct NetworkOptions;

class ThreadChoice {
 public:
  // Nothing to choose.
  explicit ThreadChoice(int threads);
  // Between 1 and `most`; `first` until something has been measured.
  ThreadChoice(int first, int most);

  int most() const { return candidates_.front(); }
  int chosen() const { return chosen_; }
  // For the next steps: the number that is being tried, or else the chosen one.
  int next() const { return trying_ ? candidates_[turn_] : chosen(); }
  bool is_trying() const { return trying_; }
  // Whether steps that have taken so many seconds more, with next() workers, are enough of them.
  bool is_enough(double seconds) const { return trying_ && tried_.seconds + seconds >= least_seconds; }
  // What has been run with next() workers.
  void record(double seconds, std::int64_t rows);

 private:
  // Of a try. There are some with each number, in turn, and the middle one counts: neither a busy moment nor
  // a lucky one beside others that train decides.
  static constexpr double least_seconds = 0.004;
  static constexpr std::size_t rounds = 5;
  // Fewer workers are taken where more gain less than this.
  static constexpr double gain_of_more = 1.05;
  // Steps with a number that is not the best are at most one in so many.
  static constexpr double between_choices = 50;

  struct Tried {
    double seconds = 0;
    std::int64_t rows = 0;
  };

  void begin();
  void next_try();
  void choose();

  std::vector<int> candidates_;  // the most first
  std::atomic<int> chosen_;      // others may ask for it while training goes on
  bool trying_ = false;
  std::size_t turn_ = 0;
  std::size_t worth_trying_ = 0;  // candidates from the first on
  std::size_t round_ = 0;
  Tried tried_;
  std::vector<std::array<double, rounds>> seconds_per_row_;  // per candidate and round
  double spent_ = 0;                                         // seconds on the last choice
  double since_ = 0;                                         // seconds of steps since then
};

// What the options ask for; where they leave it open, as many workers as the work of a training step may pay
// for.
ThreadChoice choose_threads(const Graph& graph, const Loss& loss, const NetworkOptions& options);

}  // namespace ravine
