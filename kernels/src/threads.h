// Whether this process may work in several threads.
#pragma once

// False after a fork: the threads that OpenMP waits for stayed in the parent.
bool dpk_may_thread();
