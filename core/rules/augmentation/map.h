// Steps that move pixels: composed to one map from a pixel of the result to a point of the source.
#pragma once

#include <cmath>

#include "rules/augmentation/step.h"

namespace ravine::augmentation {

inline constexpr int most_lenses = 4;

// x = xx x' + xy y' + x0, y alike.
struct Affine {
  double xx = 1, xy = 0, x = 0;
  double yx = 0, yy = 1, y = 0;

  // Takes points on by another affine map.
  RAVINE_HOST_DEVICE void then(double to_xx, double to_xy, double to_x, double to_yx, double to_yy,
                               double to_y) {
    const Affine first = *this;
    xx = to_xx * first.xx + to_xy * first.yx;
    xy = to_xx * first.xy + to_xy * first.yy;
    x = to_xx * first.x + to_xy * first.y;
    yx = to_yx * first.xx + to_yy * first.yx;
    yy = to_yx * first.xy + to_yy * first.yy;
    y = to_yx * first.x + to_yy * first.y;
    x += to_x;
    y += to_y;
  }

  // Takes points on by a linear map about the centre of the picture.
  RAVINE_HOST_DEVICE void then_about(const Step& step, double to_xx, double to_xy, double to_yx,
                                     double to_yy) {
    const double middle_x = 0.5 * (step.width - 1);
    const double middle_y = 0.5 * (step.height - 1);
    then(to_xx, to_xy, middle_x - to_xx * middle_x - to_xy * middle_y, to_yx, to_yy,
         middle_y - to_yx * middle_x - to_yy * middle_y);
  }
};

// A factor 1 + k r^2 about a centre, r in distances of the corners.
struct Lens {
  double strength;
  double centre_x;
  double centre_y;
  double inverse_square;  // of the distance from the centre to a corner
};

// Affine maps with the distortions of lenses between them: behind map i, but for the last, comes lens i.
struct Map {
  int lenses = 0;
  Affine affine[most_lenses + 1];
  Lens lens[most_lenses];

  // The map of what came so far, taken behind this step: steps are added from the last to the first. Each
  // branch is the inverse of what the step does to a picture.
  RAVINE_HOST_DEVICE void add(const Step& step, const double* drawn) {
    constexpr double radian = 0.017453292519943295;
    Affine& last = affine[lenses];
    switch (step.kind) {
      case Kind::translation:
        last.then(1, 0, -drawn[0] * step.width, 0, 1, -drawn[1] * step.height);
        break;
      case Kind::scaling:
      case Kind::stretch:
        last.then_about(step, 1.0 / drawn[0], 0, 0, 1.0 / drawn[1]);
        break;
      case Kind::rotation: {
        const double cosine = std::cos(radian * drawn[0]);
        const double sine = std::sin(radian * drawn[0]);
        last.then_about(step, cosine, -sine, sine, cosine);
        break;
      }
      case Kind::shear: {
        const double across = std::tan(radian * drawn[0]);
        const double down = std::tan(radian * drawn[1]);
        const double determinant = 1.0 - across * down;
        last.then_about(step, 1.0 / determinant, -across / determinant, -down / determinant,
                        1.0 / determinant);
        break;
      }
      case Kind::horizontal_flip:
        last.then(-1, 0, step.width - 1.0, 0, 1, 0);
        break;
      case Kind::random_crop:
      case Kind::random_resized_crop:
      case Kind::fixed_crop: {
        const double down = step.height / drawn[0];
        const double across = step.width / drawn[1];
        last.then(across, 0, (drawn[3] + 0.5) * across - 0.5, 0, down, (drawn[2] + 0.5) * down - 0.5);
        break;
      }
      case Kind::lens_distortion:
        if (drawn[0] != 0.0) add_lens(step, drawn[0]);
        break;
      default:
        break;
    }
  }

  RAVINE_HOST_DEVICE void add_lens(const Step& step, double strength) {
    const double across = 0.5 * (step.width - 1);
    const double down = 0.5 * (step.height - 1);
    const double square = across * across + down * down;
    // A single pixel has no radius.
    lens[lenses] = {strength, across, down, 1.0 / (square > 0.25 ? square : 0.25)};
    ++lenses;
    affine[lenses] = Affine{};
  }

  // Such maps are copies, without sampling.
  RAVINE_HOST_DEVICE bool is_by_whole_pixels() const {
    const Affine& map = affine[0];
    return lenses == 0 && (map.xx == 1.0 || map.xx == -1.0) && map.xy == 0.0 && map.yx == 0.0 &&
           map.yy == 1.0 && map.x == std::floor(map.x) && map.y == std::floor(map.y);
  }

  // Where a pixel of the result lies in the source.
  RAVINE_HOST_DEVICE void point(int row, int column, double* x, double* y) const {
    const Affine& first = affine[0];
    *x = first.xx * column + (first.xy * row + first.x);
    *y = first.yx * column + (first.yy * row + first.y);
    for (int i = 0; i < lenses; ++i) {
      const Lens& glass = lens[i];
      double across = *x - glass.centre_x;
      double down = *y - glass.centre_y;
      const double factor = 1.0 + glass.strength * glass.inverse_square * (across * across + down * down);
      across = glass.centre_x + factor * across;
      down = glass.centre_y + factor * down;
      const Affine& next = affine[i + 1];
      *x = next.xx * across + next.xy * down + next.x;
      *y = next.yx * across + next.yy * down + next.y;
    }
  }
};

}  // namespace ravine::augmentation
