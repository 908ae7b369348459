-- One row while a rebuild is under way: whoever finds it goes on with that.
CREATE TABLE rebuild (
    id BIGINT PRIMARY KEY CHECK (id = 1)
);
