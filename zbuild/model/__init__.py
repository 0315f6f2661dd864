"""The intermediate representation: what every frontend makes and everything after it reads."""
