/* What is visible outside of a shared library. */
#ifndef CHANNELER_VISIBILITY_H
#define CHANNELER_VISIBILITY_H

#if defined(_WIN32)
#define CHANNELER_API
#define CHANNELER_API_FRIEND
#define CHANNELER_PRIVATE
#else
#define CHANNELER_API __attribute__((visibility("default")))
#define CHANNELER_API_FRIEND __attribute__((visibility("default")))
#define CHANNELER_PRIVATE __attribute__((visibility("hidden")))
#endif

#endif
