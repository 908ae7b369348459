-- What a poll is found by: its question in small letters. Of polls that are there already it is filled in by the program.
ALTER TABLE polls ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
