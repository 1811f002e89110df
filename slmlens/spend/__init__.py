"""What each call costs, the ledger in which no cent is lost, and calendar-honest months."""
