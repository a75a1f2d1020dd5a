"""Whatever can be named is made to fail, and a witness looks at what consumers see."""
