"""Words as each rule has them: cut, counted, looked up."""
