// What locks a pool: nothing, or whatever has lock() and unlock().
#ifndef CHANNELER_LOCK_POLICY_H
#define CHANNELER_LOCK_POLICY_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

namespace channeler {

// For programs in which one thread uses an object.
struct null_lock_policy
{
  void lock() noexcept
  {
  }

  void unlock() noexcept
  {
  }
};

// Holds a lock while it lives; a null lock is none.
template <typename lock_policyT = null_lock_policy>
class guard
{
public:
  explicit guard(lock_policyT * lock)
    : m_lock{lock}
  {
    if (m_lock) {
      m_lock->lock();
    }
  }

  guard(guard const &) = delete;
  guard & operator=(guard const &) = delete;

  ~guard()
  {
    if (m_lock) {
      m_lock->unlock();
    }
  }

private:
  lock_policyT * m_lock;
};

}  // namespace channeler

#endif
