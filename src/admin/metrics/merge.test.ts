import assert from "node:assert/strict";
import { test } from "node:test";
import { mergePages } from "./merge.ts";

test("all samples of a metric stand together under one head", () => {
  const one = '# HELP a First\n# TYPE a gauge\na{worker="1"} 1\n\n# HELP b Second\n# TYPE b counter\nb{worker="1"} 2\n';
  const two = '# HELP b Second\n# TYPE b counter\nb{worker="2"} 3\n# HELP a First\n# TYPE a gauge\na{worker="2"} 4\n';
  assert.equal(
    mergePages([one, two]),
    '# HELP a First\n# TYPE a gauge\na{worker="1"} 1\na{worker="2"} 4\n\n' +
      '# HELP b Second\n# TYPE b counter\nb{worker="1"} 2\nb{worker="2"} 3\n',
  );
});

test("a metric that only one process has is there; the parts of a histogram stay under its name", () => {
  const page = '# HELP h H\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n';
  assert.equal(mergePages(["", page]), page);
});
