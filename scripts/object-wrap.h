// Forced into the C++ of better-sqlite3 when it is compiled: Node's headers since 24.19 give each wrapped object a hook for the
// end of its environment, and removing that hook aborts the process when the garbage collector is what destroys the object.
// Without the hook it is as it was on every Node before. better-sqlite3 closes its databases at the end by a hook of its own.
#pragma once
#include <node.h>
#define AddEnvironmentCleanupHook(isolate, hook, object) static_cast<void>(isolate)
#define RemoveEnvironmentCleanupHook(isolate, hook, object) static_cast<void>(isolate)
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook
