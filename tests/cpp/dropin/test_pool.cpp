// Packet pools, timeouts, locks and log macros.

#include <channeler/lock_policy.h>
#include <channeler/macros.h>
#include <channeler/memory/packet_pool.h>
#include <channeler/support/timeouts.h>

#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "support.h"

using namespace channeler;
using namespace std::chrono_literals;
using tag = channeler::support::timeout_scoped_tag_type;
using channeler::support::timeouts;
using pool = memory::packet_pool<3>;

static_assert(std::is_same_v<timeouts::duration, std::chrono::nanoseconds>);
static_assert(!std::is_default_constructible_v<pool::slot>);
static_assert(std::is_copy_constructible_v<pool::slot> && std::is_copy_assignable_v<pool::slot>);

TEST(Pool, grows_by_blocks_and_is_pruned)
{
  pool packets{42};
  ASSERT_TRUE(packets.empty());
  ASSERT_EQ(0u, packets.size());
  std::vector<pool::slot> slots;
  for (std::size_t count = 1; count <= 7; ++count) {
    slots.push_back(packets.allocate());
    ASSERT_EQ(count, packets.size());
    ASSERT_EQ((count + 2) / 3 * 3, packets.capacity());
    ASSERT_EQ(42u, slots.back().size());
    std::memset(slots.back().data(), 0xff, slots.back().size());
  }
  ASSERT_FALSE(packets.empty());
  slots.resize(4, slots.front());
  packets.prune();
  ASSERT_EQ(4u, packets.size());
  ASSERT_EQ(6u, packets.capacity());
  slots.clear();
  ASSERT_TRUE(packets.empty());
  packets.prune();
  ASSERT_EQ(0u, packets.capacity());
}

TEST(Pool, slots_are_shared_and_counted)
{
  pool packets{10};
  auto one = packets.allocate();
  ASSERT_EQ(1u, one.use_count());
  {
    auto const two = one;
    ASSERT_EQ(2u, one.use_count());
    ASSERT_EQ(one, two);
    ASSERT_EQ(one.data(), two.data());
    auto const other = packets.allocate();
    ASSERT_NE(one, other);
    ASSERT_NE(one.data(), other.data());
    ASSERT_EQ(2u, packets.size());
  }
  ASSERT_EQ(1u, one.use_count());
  ASSERT_EQ(1u, packets.size());
  packets.free(one);
  ASSERT_EQ(0u, packets.size());
  ASSERT_EQ(nullptr, one.data());
  ASSERT_EQ(0u, one.size() + one.use_count());
  packets.free(one);
  ASSERT_TRUE(packets.empty());
}

TEST(Pool, a_freed_place_is_used_again)
{
  pool packets{10};
  auto one = packets.allocate();
  auto const * const place = one.data();
  packets.free(one);
  ASSERT_EQ(place, packets.allocate().data());
}

TEST(Pool, slots_outlive_the_pool)
{
  auto packets = std::make_unique<pool>(10);
  auto slot = packets->allocate();
  packets.reset();
  std::memset(slot.data(), 1, slot.size());
  ASSERT_EQ(10u, slot.size());
}

TEST(Pool, a_lock_makes_it_one_for_threads)
{
  std::mutex lock;
  memory::packet_pool<5, std::mutex> packets{10, &lock};
  std::vector<std::thread> threads;
  for (int index = 0; index < 3; ++index) {
    threads.emplace_back([&packets] {
      for (int round = 0; round < 500; ++round) {
        auto slot = packets.allocate();
        slot.data()[0] = static_cast<channeler::byte>(round);
        auto const copied = slot;
      }
    });
  }
  for (auto & thread : threads) {
    thread.join();
  }
  ASSERT_TRUE(packets.empty());
}

TEST(Lock, a_guard_holds_it)
{
  struct counting
  {
    int locked = 0;
    int unlocked = 0;
    void lock() { ++locked; }
    void unlock() { ++unlocked; }
  } lock;
  {
    guard<counting> const held{&lock};
    ASSERT_EQ(1, lock.locked - lock.unlocked);
  }
  ASSERT_EQ(0, lock.locked - lock.unlocked);
  null_lock_policy none;
  none.lock();
  none.unlock();
  guard<null_lock_policy> const nothing{nullptr};
}

TEST(Timeouts, expire_when_their_time_was_slept)
{
  std::vector<timeouts::duration> slept;
  timeouts running{[&slept](timeouts::duration amount) {
    slept.push_back(amount);
    return amount;
  }};
  ASSERT_TRUE(running.add({1, 2}, 10ms));
  ASSERT_FALSE(running.add({1, 2}, 5ms));
  ASSERT_TRUE(running.wait(9ms).empty());
  auto const expired = running.wait(1ms);
  ASSERT_EQ((std::vector<tag>{{1, 2}}), expired);
  ASSERT_EQ((std::vector<timeouts::duration>{9ms, 1ms}), slept);
  ASSERT_TRUE(running.wait(1s).empty());
  ASSERT_TRUE(running.add({1, 2}, 1ms));
}

TEST(Timeouts, come_in_the_order_of_their_time)
{
  timeouts running{[](timeouts::duration amount) { return amount; }};
  running.add({0, 1}, 30us);
  running.add({0, 2}, 10us);
  running.add({0, 3}, 20us);
  running.add({0, 4}, 20us);
  running.remove({0, 4});
  running.remove({9, 9});
  ASSERT_EQ((std::vector<tag>{{0, 2}, {0, 3}}), running.wait(25us));
  ASSERT_EQ((std::vector<tag>{{0, 1}}), running.wait(5us));
}

TEST(Timeouts, what_counts_is_how_long_was_slept)
{
  timeouts running{[](timeouts::duration amount) { return amount / 2; }};
  running.add({0, 1}, 10ms);
  ASSERT_TRUE(running.wait(10ms).empty());
  ASSERT_EQ(1u, running.wait(10ms).size());
  timeouts sleepless{nullptr};
  sleepless.add({0, 1}, 0ms);
  ASSERT_EQ(1u, sleepless.wait(10ms).size());
  timeouts forever{[](timeouts::duration) { return timeouts::duration::max(); }};
  forever.add({0, 1}, timeouts::duration::max());
  ASSERT_EQ(1u, forever.wait(1ms).size());
  forever.add({0, 1}, timeouts::duration::max());
  ASSERT_EQ(1u, forever.wait(1ms).size());
}

TEST(Timeouts, tags_compare_and_hash)
{
  tag const one{1, 2};
  tag const other{2, 1};
  ASSERT_TRUE(one == (tag{1, 2}) && one != other && one < other && other > one && one <= other);
  ASSERT_EQ(std::hash<tag>{}(one), one.hash());
  ASSERT_EQ(2u, (std::unordered_set<tag>{one, other, {1, 2}}.size()));
}

TEST(Macros, are_statements_that_evaluate_nothing_without_debug)
{
#if defined(DEBUG)
  int const expected = 3;
#else
  int const expected = 0;
#endif
  int evaluated = 0;
  if (evaluated == 0)
    LIBLOG_DEBUG("count " << ++evaluated);
  else
    LIBLOG_WARN("never");
  LIBLOG_ERROR("count " << ++evaluated);
  LIBLOG_ET("count " << ++evaluated, ERR_STATE);
  ASSERT_EQ(expected, evaluated);
}
