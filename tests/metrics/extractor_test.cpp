#include "metrics/extractor.h"

#include "tests/catch.h"
