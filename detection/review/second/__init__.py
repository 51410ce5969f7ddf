"""Second opinions: some reviewed photos go to another reviewer, who does not see what the first one said."""
