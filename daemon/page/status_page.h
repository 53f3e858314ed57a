// The status page and what it reads: `/`, `/incidents/ID`, `/page.css`, `/page.js`,
// `/page.svg`, `/api/v1/...`.
//
// The page is four files in the program (daemon/page/page.*): no build step, nothing fetched from
// elsewhere.  It reads `/metrics` as well.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "daemon/page/board.h"
#include "daemon/policy.h"
#include "daemon/sink/http_server.h"

namespace tocsin {

// Thread-safe.  `server` must be gone before it.
class StatusPage {
 public:
  // `board` must outlive it.
  StatusPage(const Board& board, std::string version);

  void serve(HttpServer& server);
  // Rules and systems to show from now on.
  void adopt(const std::shared_ptr<const Policy>& policy);

 private:
  [[nodiscard]] std::string policy_json() const;

  const Board& board_;
  const std::string version_;
  mutable std::mutex mutex_;
  std::string policy_json_;
};

}  // namespace tocsin
