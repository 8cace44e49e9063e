"""Why a row is answered as it is: with the graph alone, so also where no training code is."""
