"""What people read, in each language: the domain's words, and all that pages and mails say."""
