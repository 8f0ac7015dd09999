"""Numbers of the elementary functions in ``kernel.emit``; nothing else.

Polynomials interpolate at Chebyshev nodes on the reduced range, solved with 60 digits and rounded to
doubles; the comment gives the largest relative error of the polynomial itself there. Constants in
parts (``_HIGH``, ``_LOW``) carry 33 bits first, so that a multiple of them is exact.
"""

LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fef00000p-1")
LN2_LOW = float.fromhex("0x1.473de6af278edp-34")
LOG10_E = float.fromhex("0x1.bcb7b1526e50ep-2")
TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
HALF_PI_PARTS = (
    float.fromhex("0x1.921fb54400000p+0"),
    float.fromhex("0x1.0b4611a600000p-34"),
    float.fromhex("0x1.3198a2e037073p-69"),
)

# exp(r) = 1 + r + r^2 q(r), |r| <= ln(2)/2: 1.6e-17
EXP = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662399,
    0.008333333333330051,
    0.0013888888917281794,
    0.00019841269863105968,
    2.480152119021773e-05,
    2.7557268378684192e-06,
    2.7620138719733994e-07,
    2.5100424157005067e-08,
)
# ln((1+s)/(1-s)) = 2 s + s^3 q(s^2), |s| <= (sqrt(2)-1)/(sqrt(2)+1): 4.2e-18
LOG = (
    0.666666666666667,
    0.3999999999989889,
    0.28571428626253836,
    0.22222211089379496,
    0.1818289243253687,
    0.15331611722055008,
    0.14617807153417325,
)
# sin(r) = r + r^3 q(r^2), |r| <= pi/4: 2.0e-17
SIN = (
    -0.16666666666666666,
    0.008333333333330925,
    -0.00019841269836722418,
    2.755731608381636e-06,
    -2.5051127944014188e-08,
    1.5917848524808262e-10,
)
# cos(r) = 1 - r^2/2 + r^4 q(r^2), |r| <= pi/4: 1.3e-18
COS = (
    0.041666666666666664,
    -0.0013888888888887382,
    2.480158729874307e-05,
    -2.7557317260008837e-07,
    2.087614382799289e-09,
    -1.1382456778047061e-11,
)
# tanh(x) = x + x^3 q(x^2), |x| <= 0.625: 5.0e-17
TANH = (
    -0.3333333333333332,
    0.13333333333326658,
    -0.05396825396139557,
    0.021869488260559115,
    -0.008863229830925709,
    0.0035920589774734554,
    -0.001455309297534642,
    0.0005874372860094381,
    -0.00023077616269519857,
    7.959955735264808e-05,
    -1.724487449484433e-05,
)
TANH_SMALL = 0.625
# Above this the three parts of pi/2 no longer give full precision.
TRIG_LARGE = 1.0e6
