#pragma once
/// Targets whose kernels run on a device, through a driver that is found when a model is opened: has_device(target).
#include "schedule/device.h"
