// A list of what was used last, in the order of use: the least recent stands in front and is
// forgotten first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tocsin::session {

// For one more.  Most sessions have few of anything: room for what there is, not for twice as much.
template <typename Item>
void make_room(std::vector<Item>& items) {
  if (items.size() == items.capacity()) items.reserve(items.size() + items.size() / 4 + 1);
}

// The item whose `key` is `value`, made when there is none, and now the most recent; at most
// `items_max` (1 and more) are kept.
template <typename Item, typename Key>
Item& touch(std::vector<Item>& items, Key Item::* key, const Key& value, std::size_t items_max) {
  auto found = std::ranges::find(items, value, key);
  if (found == items.end()) {
    if (items.size() >= items_max) items.erase(items.begin());
    make_room(items);
    items.emplace_back().*key = value;
    return items.back();
  }
  std::rotate(found, found + 1, items.end());
  return items.back();
}

}  // namespace tocsin::session
