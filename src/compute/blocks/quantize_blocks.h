#pragma once

#include "compute/blocks/blocks.h"

// One block of each type; quantize.h says what they promise. `importance` may be null.

namespace drystone {

void quantize_block(const float* x, const float* importance, BlockQ8_0& block);
void quantize_block(const float* x, const float* importance, BlockQ4_0& block);
void quantize_block(const float* x, const float* importance, BlockQ4_1& block);
void quantize_block(const float* x, const float* importance, BlockQ5_0& block);
void quantize_block(const float* x, const float* importance, BlockQ5_1& block);
void quantize_block(const float* x, const float* importance, BlockQ2K& block);
void quantize_block(const float* x, const float* importance, BlockQ3K& block);
void quantize_block(const float* x, const float* importance, BlockQ4K& block);
void quantize_block(const float* x, const float* importance, BlockQ5K& block);
void quantize_block(const float* x, const float* importance, BlockQ6K& block);
void quantize_block(const float* x, const float* importance, BlockIq4Nl& block);
void quantize_block(const float* x, const float* importance, BlockIq4Xs& block);
void quantize_block(const float* x, const float* importance, BlockMxfp4& block);

}  // namespace drystone
